"""Settings of the GAN, the group ``gan``, and of the stopping and the presets of any training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from borderline.measures.judges import JUDGE_OF, Distance
from borderline.params import Mark, PairParams, Params, RunParams, Setting

PRESETS: dict[str, dict[str, Any]] = {
    # Cunha et al. 2023.
    "paper": {"filters": 64, "learning_rate": 2.0e-4, "batch_size": 64},
    # docs/presets.md has its costs and its scores.
    "fast": {"filters": 24, "learning_rate": 4.0e-4, "batch_size": 64},
}
"""Values of the settings that are null, by the name of the preset."""


def _two_rates(value: Any) -> Any:
    rates = value if isinstance(value, list | tuple) else ()
    if len(rates) != 2 or not all(isinstance(r, int | float) and 0 <= r < 1 for r in rates):
        raise ValueError("it must be two numbers from 0 to below 1, such as [0.5, 0.999]")
    return value


Betas = Annotated[tuple[float, float], BeforeValidator(_two_rates)]
"""Decay rates of the two moments of Adam."""

USUAL_BETAS: Betas = (0.5, 0.999)
"""Of Radford et al. 2016."""

NetworkName = Literal["generator", "discriminator"]
NETWORKS: tuple[NetworkName, ...] = ("generator", "discriminator")


def with_preset(values: Any, presets: Mapping[str, dict[str, Any]]) -> Any:
    """Settings with the values of their preset where they are None."""
    if not isinstance(values, dict):
        return values
    preset = presets.get(str(values.get("preset")), {})
    return values | {n: value for n, value in preset.items() if values.get(n) is None}


class SettledParams(Params):
    """A score is settled after ``patience`` epochs without improvement."""

    metric: Distance
    patience: int = Field(ge=1)


class EarlyStoppingParams(Params):
    """Stop a training when a score no longer improves, and keep the best epoch.

    Attributes:
        patience: Epochs without improvement before the training stops.
        once_settled: Start counting when another score has settled (Cunha et al. for step 2: the
            ACD counts after the Fréchet distance has settled).
    """

    metric: Distance | Literal["acd", "yield"]
    patience: int = Field(ge=1)
    once_settled: SettledParams | None = None

    def metrics(self) -> dict[str, str]:
        """The scores that the rule reads, by setting."""
        scores: dict[str, str] = {"metric": self.metric}
        if self.once_settled is not None:
            scores["once_settled.metric"] = self.once_settled.metric
        return scores

    def distances(self) -> set[Distance]:
        """The Fréchet distances that the rule reads."""
        return {distance for distance in JUDGE_OF if distance in self.metrics().values()}


class NetworkParams(Params):
    """The settings of one network of the GAN; None for the common ones of ``gan``."""

    filters: int | None = Field(default=None, ge=1)
    blocks: int | None = Field(default=None, ge=1, le=16)
    learning_rate: float | None = Field(default=None, gt=0)
    betas: Betas | None = None


class Network(NamedTuple):
    """The settings of one network of the GAN: its own where set, else the common ones."""

    filters: int
    blocks: int | None
    learning_rate: float
    betas: Betas


def with_own(common: Setting, own: Mapping[str, object]) -> Setting:
    """A common value for a fingerprint, with the values that differ from it in brackets.

    The values share the name of the common one, which every checkpoint has. So the checkpoints of
    earlier versions, which have common values only, are compared too.

    Example:
        >>> with_own(24, {"generator": 32, "discriminator": 24, "step 2": None})
        '24 (generator: 32)'
    """
    differing = [f"{name}: {value}" for name, value in own.items() if value not in (None, common)]
    return f"{common} ({', '.join(differing)})" if differing else common


class GanParams(Params):
    """Step 1, the plain GAN, and the training of both steps (Cunha et al. 2023).

    Attributes:
        preset: ``paper`` or ``fast``: sets ``filters``, ``learning_rate`` and ``batch_size`` where
            they are None.
        steps_per_epoch: Discriminator steps per epoch; None for one pass over the images. Small
            datasets need more than one pass.
        filters: Channels of the discriminator's first layer; each further layer doubles them.
        blocks: Up- and down-sampling blocks of the DCGAN; None for as many as lead to 4 pixels of
            the longer side.
        betas: Decay rates of Adam; None for 0.5 and 0.999.
        generator: Settings that differ from the common ones for the generator.
        discriminator: The same for the discriminator.
        precision: ``float32``, or ``bfloat16`` for autocast on any device (Micikevicius et al.
            2018); ``auto`` takes ``bfloat16`` on CUDA.
        checkpoint_every: Epochs between two checkpoints, in both steps; the last epoch always has
            one.
        samples: Images of the grid that is drawn after each epoch, in both steps: those of the
            first vectors of the test noise.
    """

    preset: Annotated[Literal["paper", "fast"] | None, Mark.CONTINUES]
    epochs: Annotated[int, Field(ge=1), Mark.CONTINUES]
    steps_per_epoch: int | None = Field(ge=1)
    latent_dim: int = Field(ge=1)
    architecture: Literal["dcgan", "resnet"]
    filters: int = Field(ge=1)
    blocks: int | None = Field(ge=1, le=16)
    loss: Literal["ns", "wgan_gp"]
    gradient_penalty: float = Field(ge=0)
    disc_iters: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    precision: Literal["auto", "float32", "bfloat16"]
    compile: Annotated[bool, Mark.CONTINUES]
    checkpoint_every: Annotated[int, Field(ge=1), Mark.CONTINUES]
    early_stopping: Annotated[EarlyStoppingParams | None, Mark.CONTINUES]
    # With defaults here too, because the networks that earlier versions saved lack these settings.
    samples: Annotated[int, Field(ge=1), Mark.NO_RESULT] = 64
    betas: Betas | None = None
    generator: NetworkParams = NetworkParams()
    discriminator: NetworkParams = NetworkParams()

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        return with_preset(values, PRESETS)

    @model_validator(mode="after")
    def _blocks_are_of_a_dcgan(self) -> Self:
        blocks = {"blocks": self.blocks}
        blocks |= {f"{name}.blocks": getattr(self, name).blocks for name in NETWORKS}
        for name, value in blocks.items():
            if self.architecture == "resnet" and value is not None:
                raise ValueError(f"a resnet has three blocks up and four down: set {name} to null")
        return self

    def network(self, name: NetworkName) -> Network:
        """The settings that hold for one network."""
        own: NetworkParams = getattr(self, name)
        return Network(
            filters=own.filters or self.filters,
            blocks=own.blocks or self.blocks,
            learning_rate=own.learning_rate or self.learning_rate,
            betas=own.betas or self.betas or USUAL_BETAS,
        )

    def fingerprint(self, group: str) -> dict[str, Setting]:
        """As for all settings, without the gradient penalty if the loss has none.

        The settings of single networks stand beside the common ones; see :func:`with_own`.
        """
        of_networks = tuple(f"{group}.{name}" for name in ("betas", *NETWORKS))
        values = super().fingerprint(group)
        values = {n: value for n, value in values.items() if not n.startswith(of_networks)}
        if self.loss == "ns":
            del values[f"{group}.gradient_penalty"]
        networks = {f"{group}.{name}": self.network(name) for name in NETWORKS}
        for setting in ("filters", "blocks", "learning_rate"):
            own = {f"{n}.{setting}": getattr(network, setting) for n, network in networks.items()}
            if setting == "learning_rate":
                # Checkpoints of earlier versions name no betas, but the rate of the same optimiser.
                own |= {f"{n}.betas": _unusual(network.betas) for n, network in networks.items()}
            name = f"{group}.{setting}"
            values[name] = with_own(values[name], own)
        return values


def _unusual(betas: Betas) -> list[float] | None:
    return None if betas == USUAL_BETAS else list(betas)


def gan_settings(run: RunParams, pair: PairParams, gan: GanParams) -> dict[str, Setting]:
    """The fingerprint of step 1: every setting that its checkpoints depend on."""
    return {**run.fingerprint("run"), **pair.fingerprint("pair"), **gan.fingerprint("gan")}

"""Settings of the stage: ``parameters_gasten.yml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from borderline.errors import BorderlineError
from borderline.params import (
    ConfusionParams,
    GeneratorParams,
    PairParams,
    Params,
    RunParams,
    Setting,
)

PRESETS: dict[str, dict[str, Any]] = {
    # Cunha et al. 2023.
    "paper": {"filters": 64, "learning_rate": 2.0e-4, "batch_size": 64},
    # docs/presets.md has its costs and its scores.
    "fast": {"filters": 24, "learning_rate": 4.0e-4, "batch_size": 64},
}
"""Network and step sizes under one name; each setting can still be given beside it."""

Start = Literal["last", "best"] | Annotated[int, Field(ge=1, strict=True)]
"""The epoch of step 1 to start from: the last, that of the lowest Fréchet distance, or a number."""

Pairs = Literal["random", "nearest"]
"""How points of both sides are paired: at random, or each with its nearest neighbours."""


class StartsFromGan(GeneratorParams):
    """A generator that starts from step 1.

    Attributes:
        start: The epoch of step 1 to start from, or a list, which stands for a generator each.
    """

    start: Start | Annotated[tuple[Start, ...], Field(min_length=1)] = "last"

    def variants(self) -> dict[str, Self]:
        """One generator for each epoch to start from."""
        if not isinstance(self.start, tuple):
            return {"": self}
        return {f"_from_{s}": self.model_copy(update={"start": s}) for s in self.start}

    def needs_gan(self) -> bool:
        """Whether it goes on from no other generator."""
        return self.goes_on_from() is None

    def needs_fd_lenet(self) -> bool:
        """Whether it starts from the best epoch."""
        return self.start == "best"

    def check(self, name: str, context: GeneratorContext) -> None:
        """Make sure that step 1 has a checkpoint of the epoch to start from."""
        start, gan = self.start, context.gan
        if isinstance(start, int) and (
            start > gan.epochs or (start % gan.checkpoint_every and start != gan.epochs)
        ):
            raise BorderlineError(
                f"generators.{name}.start is {start}, but step 1 has {gan.epochs} epochs "
                f"(gan.epochs) and a checkpoint every {gan.checkpoint_every} "
                "(gan.checkpoint_every): choose one of these, or 'best' or 'last'."
            )


class SettledParams(Params):
    """When a score counts as settled: it has not improved for some epochs.

    Attributes:
        metric: The score, a column of the history.
        patience: Epochs without improvement.
    """

    metric: Literal["fd_lenet"]
    patience: int = Field(ge=1)


class EarlyStoppingParams(Params):
    """Stop a training when a score no longer improves, and keep its best epoch.

    Attributes:
        metric: The score, a column of the history; ``yield`` should grow, the others shrink.
        patience: Epochs without improvement before the training stops.
        once_settled: Count only from the epoch at which another score has settled (the rule of
            Cunha et al. for step 2: the ACD counts once the Fréchet distance has settled).
    """

    metric: Literal["fd_lenet", "acd", "yield"]
    patience: int = Field(ge=1)
    once_settled: SettledParams | None = None

    def needs_fd_lenet(self) -> bool:
        """Whether the rule reads the Fréchet distance."""
        return self.metric == "fd_lenet" or self.once_settled is not None


class GanParams(Params):
    """Step 1, the plain GAN, and how both steps train (Cunha et al. 2023).

    Attributes:
        preset: ``paper`` or ``fast``: values of ``filters``, ``learning_rate``, ``batch_size``.
        epochs: Epochs of step 1.
        steps_per_epoch: Discriminator steps in an epoch; left empty, one pass over the images.
            Small datasets need more than one pass.
        latent_dim: Dimensions of the latent vector z.
        architecture: ``dcgan``, or ``resnet`` for 32x32 and larger.
        filters: Channels of the discriminator's first layer; each further one doubles them.
        blocks: Up- and down-sampling blocks of the DCGAN; left empty, as many as 4x4 maps need.
        loss: ``ns`` (non-saturating) or ``wgan_gp`` (Gulrajani et al. 2017).
        gradient_penalty: Weight of WGAN-GP's penalty.
        disc_iters: Discriminator steps for each generator step.
        batch_size: Images a step.
        learning_rate: Adam's learning rate, for both networks.
        precision: ``float32``, or ``bfloat16`` for autocast on any device (Micikevicius et al.
            2018); ``auto`` takes ``bfloat16`` on CUDA.
        compile: Whether to compile both networks with ``torch.compile``.
        checkpoint_every: Epochs from one checkpoint to the next, in both steps; the last epoch
            always has one.
        early_stopping: When to stop step 1 before its last epoch.
    """

    no_matter: ClassVar[frozenset[str]] = Params.no_matter | {
        "preset",
        "checkpoint_every",
        "early_stopping",
        "compile",
    }

    preset: Literal["paper", "fast"] | None = None
    epochs: int = Field(ge=1)
    steps_per_epoch: int | None = Field(default=None, ge=1)
    latent_dim: int = Field(ge=1)
    architecture: Literal["dcgan", "resnet"] = "dcgan"
    filters: int = Field(ge=1)
    blocks: int | None = Field(default=None, ge=1)
    loss: Literal["ns", "wgan_gp"] = "ns"
    gradient_penalty: float = Field(default=10.0, ge=0)
    disc_iters: int = Field(default=1, ge=1)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    checkpoint_every: int = Field(default=1, ge=1)
    early_stopping: EarlyStoppingParams | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        name = values.get("preset") if isinstance(values, dict) else None
        return {**PRESETS[name], **values} if isinstance(name, str) and name in PRESETS else values

    @model_validator(mode="after")
    def _blocks_are_of_a_dcgan(self) -> Self:
        if self.architecture == "resnet" and self.blocks is not None:
            raise ValueError("a resnet has three blocks up and four down, so leave blocks out")
        return self

    def fingerprint(self, group: str) -> dict[str, Setting]:
        """See :class:`~borderline.params.Params`; a loss without gradient penalty omits it."""
        values = super().fingerprint(group)
        if self.loss == "ns":
            del values[f"{group}.gradient_penalty"]
        return values


class GenerationParams(Params):
    """How many images the finished generators make, and how many measure an epoch.

    Attributes:
        images: Images that each generator makes (Gomes et al. 2024: 15,000).
        test_noise: Latent vectors that the scores of every epoch are computed on.
    """

    images: int = Field(ge=1)
    test_noise: int = Field(ge=64)


def gan_settings(run: RunParams, pair: PairParams, gan: GanParams) -> dict[str, Setting]:
    """The fingerprint of step 1: every setting that its checkpoints depend on."""
    return {**run.fingerprint("run"), **pair.fingerprint("pair"), **gan.fingerprint("gan")}


@dataclass(frozen=True)
class GeneratorContext:
    """The settings beside a generator, for its check before the run.

    Attributes:
        gan: Step 1.
        generation: How many images are made.
        confusion: The band.
        spaces: The generators of the grid that have a latent space, by name.
    """

    gan: GanParams
    generation: GenerationParams
    confusion: ConfusionParams
    spaces: Mapping[str, GeneratorParams]

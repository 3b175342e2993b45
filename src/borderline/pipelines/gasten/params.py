"""Settings of the stage: ``parameters_gasten.yml``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictInt, model_validator

from borderline.boundary import ConfusionParams, OperatingPoint, logit, uncentred
from borderline.errors import BorderlineError
from borderline.fingerprints import EARLIER, NOISE_DIGEST, REFERENCE, STEP_2_SEED
from borderline.imported.params import GeneratorSource
from borderline.measures.judges import Distance, Reference
from borderline.names import fault_of_path
from borderline.params import GeneratorParams, Mark, Params, RunParams, Setting, without_fault
from borderline.pipelines.gasten.gan_params import EarlyStoppingParams, GanParams, with_preset
from borderline.seeds import GivenSeed

Start = Literal["last", "best", "best_fid"] | Annotated[int, Field(ge=0, strict=True)]
"""The epoch of step 1 to start from: the last, the one with the lowest ``fd_lenet`` or FID, or a
number; 0 is the GAN before its training."""


BEST: dict[Start, Distance] = {"best": "fd_lenet", "best_fid": "fid"}
"""The distance that chooses the epoch to start from."""


class StartsFromGan(GeneratorParams):
    """A generator that continues from step 1; a list of starts means a generator for each."""

    start: Annotated[Start | Annotated[tuple[Start, ...], Field(min_length=1)], Mark.CONTINUES]

    def variants(self) -> dict[str, Self]:
        """One generator for each epoch to start from."""
        if not isinstance(self.start, tuple):
            return {"": self}
        return {f"_from_{s}": self.model_copy(update={"start": s}) for s in self.start}

    def needs_gan(self) -> bool:
        """No if it continues from another generator."""
        return self.goes_on_from() is None

    def distances(self) -> set[Distance]:
        """The distance whose best epoch it starts from."""
        assert not isinstance(self.start, tuple), "the grid takes lists apart"
        return {BEST[self.start]} if self.start in BEST else set()

    def check(self, name: str, context: GeneratorContext) -> None:
        """Step 1 has a checkpoint of the epoch to start from."""
        start, gan = self.start, context.gan
        if isinstance(start, int) and (
            start > gan.epochs or (start % gan.checkpoint_every and start != gan.epochs)
        ):
            raise BorderlineError(
                f"generators.{name}.start is {start}, but step 1 has {gan.epochs} epochs "
                f"(gan.epochs) and a checkpoint every {gan.checkpoint_every} "
                "(gan.checkpoint_every): choose one of these, or 'best' or 'last'."
            )


class LabelParams(Params):
    """The labels of the two classes in a generator that is told which class to make.

    Attributes:
        argument: The keyword of the labels, int64 (N,); None where they are the second argument.
    """

    negative: Annotated[StrictInt, Field(ge=0)]
    positive: Annotated[StrictInt, Field(ge=0)]
    argument: str | None = None

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.negative == self.positive:
            raise ValueError(
                f"negative and positive are both {self.negative}: name the labels of two classes, "
                "or set labels to null"
            )
        return self


class ImportedParams(GeneratorParams):
    """A generator that was trained elsewhere.

    Attributes:
        latent_dim: The length of its latents; None where ``latent_shape`` or the file says it.
        latents: The distribution of its latents z: standard ``normal``, or ``uniform`` in [-1, 1].
            Borderline draws normal latents and maps them.
        latent_shape: ``vector`` for z of shape (N, Z), ``map`` for (N, Z, 1, 1), or the shape of a
            latent as a list: [4, 8, 8] for (N, 4, 8, 8).
        labels: The labels of the two classes; None for a generator that takes none.
        range: The values of black and white in its images.
        fit: Whether images of another size or number of channels are changed to those of the real
            images, as the inputs of models are.
    """

    source: GeneratorSource
    latent_dim: int | None = Field(ge=1)
    latents: Literal["normal", "uniform"]
    latent_shape: (
        Literal["vector", "map"]
        | Annotated[tuple[Annotated[StrictInt, Field(ge=1)], ...], Field(min_length=1)]
    )
    range: tuple[float, float]
    # With defaults here too, because the generators that earlier versions saved lack these.
    labels: LabelParams | None = None
    fit: bool = False

    @property
    def passes_per_image(self) -> int:
        """The steps of its source, if it has any."""
        return self.source.steps or 1

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of a latent; None where only the file says it."""
        if isinstance(self.latent_shape, tuple):
            return self.latent_shape
        if self.latent_dim is None:
            return None
        return (self.latent_dim,) if self.latent_shape == "vector" else (self.latent_dim, 1, 1)


FLOW_PRESETS: dict[str, dict[str, Any]] = {
    # docs/presets.md has their costs.
    "small": {"channels": [48, 96], "layers": 1, "learning_rate": 1.0e-3, "batch_size": 64},
    "medium": {"channels": [48, 96, 144], "layers": 2, "learning_rate": 5.0e-4, "batch_size": 64},
}
"""Values of the settings of ``diffusion`` that are null, by the name of the preset."""

Solver = Literal["euler", "heun"]
Channels = Annotated[int, Field(ge=8, multiple_of=8)]
"""Channels of a level, which are normalised in eight groups."""


class DiffusionParams(GeneratorParams):
    """A flow-matching model (Lipman et al. 2023) of the pair's images.

    Attributes:
        preset: ``small`` or ``medium``: sets ``channels``, ``layers``, ``learning_rate`` and
            ``batch_size`` where they are None.
        steps: Steps of the decoder from noise to image.
        solver: ``euler``, or ``heun`` with two passes through the network a step.
        channels: Of each level of the U-Net; each level has half the height and width of the one
            before.
        layers: Residual blocks of a level.
        steps_per_epoch: Steps of the training per epoch; None for one pass over the images.
        average: Decay rate of the average of the weights, which the decoder has.
        unlabelled: The share of training images whose class is in doubt.
    """

    preset: Annotated[Literal["small", "medium"] | None, Mark.CONTINUES]
    epochs: Annotated[int, Field(ge=1), Mark.CONTINUES]
    steps_per_epoch: int | None = Field(ge=1)
    steps: Annotated[int, Field(ge=1, le=1000), Mark.CONTINUES]
    solver: Annotated[Solver, Mark.CONTINUES]
    channels: tuple[Channels, ...] = Field(min_length=1, max_length=6)
    layers: int = Field(ge=1, le=8)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    average: float = Field(ge=0, lt=1)
    unlabelled: float = Field(ge=0, le=1)
    checkpoint_every: Annotated[int, Field(ge=1), Mark.CONTINUES]
    early_stopping: Annotated[EarlyStoppingParams | None, Mark.CONTINUES]
    samples: Annotated[int, Field(ge=1), Mark.NO_RESULT]

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        return with_preset(values, FLOW_PRESETS)


class GenerationParams(Params):
    """Images of each finished generator (Gomes et al. 2024: 15,000), and latents for its epochs.

    Attributes:
        test_noise: The number of fixed latent vectors that all epochs are measured on.
        noise_file: A file of latent vectors (N, ``gan.latent_dim``) that take their place:
            ``.npy``, ``.safetensors`` or ``.pt``.
    """

    images: int = Field(ge=1)
    test_noise: int = Field(ge=1)
    noise_file: Annotated[str, without_fault(fault_of_path)] | None = None


def measured_settings(reference: Reference, noise_digest: str | None) -> dict[str, Setting]:
    """The fingerprint of the scores in a history, without the usual values (``EARLIER``).

    ``noise_digest`` is that of a test noise from a file.
    """
    settings: dict[str, Setting] = {REFERENCE: reference, NOISE_DIGEST: noise_digest}
    return {name: value for name, value in settings.items() if value != EARLIER[name]}


def seed_settings(run: RunParams) -> dict[str, Setting]:
    """The seed of step 2 for its fingerprint, if it is one of ``grid``."""
    return {STEP_2_SEED: run.seed} if isinstance(run, GivenSeed) else {}


@dataclass(frozen=True)
class GeneratorContext:
    """The settings beside a generator, for its check before the run.

    Attributes:
        spaces: The generators of the grid that have a latent space, by name.
        members: The judges of the committee that are trained here, with the one that measures
            realism; 0 for an imported judge.
    """

    gan: GanParams
    confusion: ConfusionParams
    spaces: Mapping[str, GeneratorParams]
    members: int

    def is_in_band(self, reach: float) -> bool:
        """Whether centred probabilities within this distance of 0.5 are borderline."""
        confusion, t = self.confusion, self.confusion.threshold
        farthest = logit(0.5 + reach)
        if confusion.scale == "logit":
            return farthest < confusion.band
        if isinstance(t, OperatingPoint):
            # The farthest from any threshold, which is not known yet.
            return math.tanh(farthest / 4) < confusion.band
        if t == 0.5:
            return reach < confusion.band
        ends = (uncentred(0.5 + side * reach, t) for side in (-1, 1))
        return max(abs(p - t) for p in ends) < confusion.band

    @property
    def band_in_words(self) -> str:
        """The borderline band with its settings."""
        names = ("threshold", "band", "scale")
        return ", ".join(f"confusion.{n} {getattr(self.confusion, n)}" for n in names)

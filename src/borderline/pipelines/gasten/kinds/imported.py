"""A generator that was trained elsewhere: its images wherever they fall, or a space to search."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from kedro.pipeline import Pipeline
from pydantic import Field, model_validator

from borderline.grid import node
from borderline.imported.params import Source
from borderline.params import GeneratorParams
from borderline.records import LabelledImages

if TYPE_CHECKING:
    from borderline.pipelines.gasten.gan_sampler import GanSampler
    from borderline.pipelines.gasten.imported_generator import ImportedGenerator


class Settings(GeneratorParams):
    """A generator that was trained elsewhere.

    Attributes:
        kind: ``imported``.
        source: Its file or code: all kinds except ``onnx``.
        latent_dim: Dimensions of its latent vectors z.
        latents: The distribution of z: standard ``normal``, or ``uniform`` in [-1, 1]. Borderline
            draws normal latents and maps them.
        latent_shape: ``vector`` for z of shape (N, Z), ``map`` for (N, Z, 1, 1).
        range: The values of black and white in its images.
    """

    has_space: ClassVar[bool] = True
    has_file: ClassVar[bool] = True

    kind: Literal["imported"]
    source: Source
    latent_dim: int = Field(ge=1)
    latents: Literal["normal", "uniform"]
    latent_shape: Literal["vector", "map"]
    range: tuple[float, float]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        low, high = self.range
        if low >= high:
            raise ValueError(f"range is [{low:g}, {high:g}], whose second number must be greater")
        if self.source.kind == "onnx":
            raise ValueError("source.kind 'onnx' has no gradients, which walks in its space need")
        return self

    def needs_gan(self) -> bool:
        """No: it is a generator itself."""
        return False

    def check_file(self, content: bytes, image_shape: tuple[int, ...]) -> None:
        """Read the generator and try it on a few latents."""
        from borderline.pipelines.gasten.imported_generator import (
            ImportedGenerator,
            check_generator,
        )

        check_generator(ImportedGenerator(self, content), image_shape)


def create_pipeline(settings: Settings) -> Pipeline:
    """Read the generator."""
    return Pipeline([node(import_generator, "generator"), node(keep_sampler, "sampler")])


def import_generator(
    imported_file: bytes, pair_train: LabelledImages, *, generator: Settings
) -> ImportedGenerator:
    """The generator, tried on a few latents.

    Raises:
        BorderlineError: When its images do not have the pair's shape, or lie outside its range.
    """
    from borderline.pipelines.gasten.imported_generator import ImportedGenerator, check_generator

    network = ImportedGenerator(generator, imported_file)
    check_generator(network, tuple(pair_train["images"].shape[1:]))
    return network


def keep_sampler(generator: ImportedGenerator) -> GanSampler:
    """The generator, ready to make images."""
    from borderline.pipelines.gasten.gan_sampler import GanSampler

    return GanSampler(generator=generator)

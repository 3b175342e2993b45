"""A generator that was trained elsewhere: its images wherever they fall, or a space to search."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from kedro.pipeline import Pipeline
from pydantic import model_validator

from borderline.grid import node
from borderline.pipelines.gasten.params import ImportedParams
from borderline.records import LabelledImages
from borderline.sampling import GanSampler

if TYPE_CHECKING:
    from borderline.pipelines.gasten.imported_generator import ImportedGenerator


class Settings(ImportedParams):
    """A generator that was trained elsewhere, of any ``source.kind`` except ``onnx``."""

    has_space: ClassVar[bool] = True
    has_file: ClassVar[bool] = True

    kind: Literal["imported"]

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
    """The generator, tried on a few latents."""
    from borderline.pipelines.gasten.imported_generator import ImportedGenerator, check_generator

    network = ImportedGenerator(generator, imported_file)
    check_generator(network, tuple(pair_train["images"].shape[1:]))
    return network


def keep_sampler(generator: ImportedGenerator) -> GanSampler:
    """The generator, ready to make images."""
    return GanSampler(generator=generator)

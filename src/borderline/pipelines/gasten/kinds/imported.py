"""A generator that was trained elsewhere: its images wherever they fall, or a space to search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from kedro.pipeline import Pipeline
from pydantic import model_validator

from borderline.grid import node
from borderline.pipelines.gasten.params import ImportedParams
from borderline.records import LabelledImages
from borderline.sampling import GanSampler

if TYPE_CHECKING:
    from torch import Tensor

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
        if self.source.kind == "diffusers":
            return self._of_noise_to_images()
        if self.latent_dim is None and self.shape is None:
            raise ValueError(
                "latent_dim is None: set it to the length of the generator's latent vectors, or "
                "latent_shape to a list such as [4, 8, 8]"
            )
        shape = self.shape
        assert shape is not None
        if self.latent_dim not in (None, math.prod(shape)):
            raise ValueError(
                f"latent_dim is {self.latent_dim}, but latent_shape {list(shape)} has "
                f"{math.prod(shape)} numbers: remove latent_dim, which follows from the shape"
            )
        return self

    def _of_noise_to_images(self) -> Self:
        for name, usual in (("latents", "normal"), ("range", (-1, 1))):
            if getattr(self, name) != usual:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}, but a pipeline of diffusers goes from "
                    f"normal noise to images in [-1, 1]: remove {name}"
                )
        return self

    def needs_gan(self) -> bool:
        """No: it is a generator itself."""
        return False

    def check_file(self, content: bytes, real_images: Tensor) -> None:
        """Read the generator and try it on a few latents."""
        _checked(self, content, real_images)


def create_pipeline(settings: Settings) -> Pipeline:
    """Read the generator."""
    return Pipeline([node(import_generator, "generator"), node(keep_sampler, "sampler")])


def import_generator(
    imported_file: bytes, pair_train: LabelledImages, *, generator: Settings
) -> ImportedGenerator:
    """The generator, tried on a few latents."""
    return _checked(generator, imported_file, pair_train["images"])


def _checked(settings: Settings, content: bytes, real_images: Tensor) -> ImportedGenerator:
    from borderline.pipelines.gasten.imported_generator import (
        ImportedGenerator,
        check_generator,
        check_shades,
    )

    image_shape = tuple(real_images.shape[1:])
    network = ImportedGenerator(settings, content, image_shape)
    check_generator(network, image_shape)
    check_shades(network, real_images)
    return network


def keep_sampler(generator: ImportedGenerator) -> GanSampler:
    """The generator, ready to make images."""
    return GanSampler(generator=generator)

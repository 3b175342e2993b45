"""A generator that was trained elsewhere: its images wherever they fall, or a space to search."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import torch
from kedro.pipeline import Node, Pipeline
from pydantic import Field, model_validator
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.imported.kinds import first_line, read_network
from borderline.imported.network import outputs_of
from borderline.imported.params import Source
from borderline.params import GeneratorParams
from borderline.pipelines.gasten.kinds.gasten import GanSampler
from borderline.records import LabelledImages

# Of what a generator gives beyond its range, rounding is forgiven.
_OUTSIDE = 1e-3


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
        """No."""
        return False


def create_pipeline(settings: Settings) -> Pipeline:
    """Read the generator; step 1 is not needed."""
    return Pipeline(
        [
            Node(
                import_generator,
                inputs=["imported_file", "pair_train", "params:generator"],
                outputs="generator",
                name="import_generator",
            ),
            Node(keep_sampler, inputs="generator", outputs="sampler", name="keep_sampler"),
        ]
    )


class ImportedGenerator(nn.Module):
    """A network from elsewhere: standard normal latents (N, Z) to images (N, C, H, W) in [-1, 1].

    It is kept as the bytes of its file, as :class:`~borderline.imported.classifier` is.

    Args:
        settings: What it takes and gives.
        content: The bytes of its file.

    Raises:
        BorderlineError: When it cannot be read; the sentence begins with a setting of ``settings``.
    """

    def __init__(self, settings: Settings, content: bytes) -> None:
        super().__init__()
        self._made_of = settings, content
        self.settings = settings
        self.latent_dim = settings.latent_dim
        self.network = read_network(settings.source, content)

    def __reduce__(self) -> Any:
        return type(self), self._made_of

    def forward(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, Z) to images."""
        if self.settings.latents == "uniform":
            # The distribution function of the normal one: walks among normal latents stay walks.
            latents = torch.erf(latents / 2**0.5)
        if self.settings.latent_shape == "map":
            latents = latents[:, :, None, None]
        low, high = self.settings.range
        images = outputs_of(self.network(latents)).float()
        return (images - low) / (high - low) * 2 - 1


def import_generator(
    imported_file: bytes, pair_train: LabelledImages, generator: Settings
) -> ImportedGenerator:
    """The generator, tried on a few latents.

    Raises:
        BorderlineError: When its images are not of the pair's shape, or not in its range.
    """
    network = ImportedGenerator(generator, imported_file)
    check_generator(network, tuple(pair_train["images"].shape[1:]))
    return network


def check_generator(network: ImportedGenerator, image_shape: tuple[int, ...]) -> None:
    """Make sure that a generator makes images as its settings say, of the shape of the real ones.

    Args:
        network: The generator.
        image_shape: Channels, height and width of the real images.

    Raises:
        BorderlineError: When it does not; the sentence begins with a setting of the generator.
    """
    settings = network.settings
    random = torch.Generator().manual_seed(0)
    latents = torch.randn(16, settings.latent_dim, generator=random)
    try:
        with torch.no_grad():
            images = network(latents)
    except Exception as error:
        raise BorderlineError(
            f"latent_dim is {settings.latent_dim} and latent_shape {settings.latent_shape!r}, but "
            f"the generator cannot take such latents ({first_line(error)}): correct them."
        ) from error
    if tuple(images.shape) != (16, *image_shape):
        raise BorderlineError(
            f"source makes images of shape {list(images.shape[1:])}, but the real ones are of "
            f"shape {list(image_shape)} (channels, height, width): set source.size and "
            "source.colour in conf/<env>/globals.yml to the generator's."
        )
    if not torch.isfinite(images).all():
        raise BorderlineError("source makes NaN or infinite pixels: name another generator.")
    if float(images.abs().max()) > 1 + _OUTSIDE:
        low, high = settings.range
        scale = (high - low) / 2
        found = [(float(own) + 1) * scale + low for own in (images.min(), images.max())]
        raise BorderlineError(
            f"range is [{low:g}, {high:g}], but the generator makes pixels from {found[0]:.3g} to "
            f"{found[1]:.3g}: set range to what black and white are."
        )
    with torch.no_grad():
        again = network(latents)
    if float((again - images).abs().max()) > _OUTSIDE:
        raise BorderlineError(
            "source makes another image of the same latent vector each time: switch its dropout "
            "and its noise off (model.eval()) before you save it."
        )
    z = latents.requires_grad_(True)
    with torch.enable_grad():
        value = network(z).sum()
        flows = value.requires_grad and torch.autograd.grad(value, z, allow_unused=True)[0]
    if flows is False or flows is None:
        raise BorderlineError(
            "source has no gradients, which walks in its space follow: import it as a module of "
            "PyTorch's that does not detach what it makes."
        )
    if float(images.std(0).max()) < _OUTSIDE:
        raise BorderlineError(
            "source makes the same image of every latent vector: name a trained generator."
        )


def keep_sampler(generator: ImportedGenerator) -> GanSampler:
    """The generator, ready to make images."""
    return GanSampler(generator=generator)

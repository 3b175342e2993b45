"""A generator that was trained elsewhere, and its check."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from borderline.datasets.storable import storable
from borderline.errors import BorderlineError
from borderline.imported.kinds import first_line, read_network
from borderline.imported.user_code import faults_with_lines
from borderline.pipelines.gasten.params import ImportedParams

# Rounding errors beyond the range are accepted up to this size.
_OUTSIDE = 1e-3


@storable(runs_code=lambda settings, **_: bool(settings.source.runs_code))
class ImportedGenerator(nn.Module):
    """A network from elsewhere: standard normal latents (N, Z) to images (N, C, H, W) in [-1, 1].

    A stored generator keeps the bytes of its file.

    Raises:
        BorderlineError: When it cannot be read; the sentence begins with a setting of ``settings``.
    """

    def __init__(self, settings: ImportedParams, content: bytes) -> None:
        super().__init__()
        self.made_of = type(self), {"settings": settings, "content": content}
        self.settings = settings
        self.latent_dim = settings.latent_dim
        self.network = read_network(settings.source, content)

    def __reduce__(self) -> Any:
        return type(self), tuple(self.made_of[1].values())

    def forward(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, Z) to images."""
        if self.settings.latents == "uniform":
            # The normal distribution function is monotonic: walks among normal latents stay walks.
            latents = torch.erf(latents / 2**0.5)
        if self.settings.latent_shape == "map":
            latents = latents[:, :, None, None]
        low, high = self.settings.range
        with faults_with_lines():
            images = self.network.outputs(latents).float()
        return (images - low) / (high - low) * 2 - 1


def check_generator(network: ImportedGenerator, image_shape: tuple[int, ...]) -> None:
    """Make sure that a generator fits its settings and the shape (C, H, W) of the real images.

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
            "source.colour in conf/<env>/globals.yml to those of the generator."
        )
    if not torch.isfinite(images).all():
        raise BorderlineError("source makes NaN or infinite pixels: name another generator.")
    if float(images.abs().max()) > 1 + _OUTSIDE:
        low, high = settings.range
        scale = (high - low) / 2
        least, most = ((float(end) + 1) * scale + low for end in (images.min(), images.max()))
        raise BorderlineError(
            f"range is [{low:g}, {high:g}], but the generator makes pixels from {least:.3g} to "
            f"{most:.3g}: set range to the values of black and white."
        )
    with torch.no_grad():
        again = network(latents)
    if float((again - images).abs().max()) > _OUTSIDE:
        raise BorderlineError(
            "source makes another image of the same latent vector each time: switch off its "
            "dropout and its noise (model.eval()) before you save it."
        )
    z = latents.requires_grad_(True)
    with torch.enable_grad():
        value = network(z).sum()
        flows = value.requires_grad and torch.autograd.grad(value, z, allow_unused=True)[0]
    if flows is False or flows is None:
        raise BorderlineError(
            "source has no gradients, which walks in its space follow: import it as a PyTorch "
            "module that does not detach its images."
        )
    if float(images.std(0).max()) < _OUTSIDE:
        raise BorderlineError(
            "source makes the same image of every latent vector: name a trained generator."
        )

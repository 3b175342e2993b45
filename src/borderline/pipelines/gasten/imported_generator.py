"""A generator that was trained elsewhere, and its check."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from borderline.datasets.storable import storable
from borderline.errors import BorderlineError
from borderline.imported.classifier import fitted
from borderline.imported.kinds import first_line, read_network
from borderline.imported.network import NoScores
from borderline.imported.user_code import faults_with_lines
from borderline.measures.inference import BATCH_SIZE, images_at_once, in_batches
from borderline.pipelines.gasten.params import ImportedParams

# The names of the images in the outputs of diffusers.
_IMAGES = ("sample", "images")
_TRIED = 16
# Rounding errors beyond the range are accepted up to this size.
_OUTSIDE = 1e-3
# Of the pixels of real images that are much darker or brighter than the middle.
_LEAST_SHARE = 0.02


@storable(runs_code=lambda settings, **_: bool(settings.source.runs_code))
class ImportedGenerator(nn.Module):
    """A network from elsewhere: standard normal latents (N, Z) to images (N, C, H, W) in [-1, 1].

    The latents are flat, whatever shape the network takes. Where it takes a label, the last number
    of a latent says the class: positive where it is above 0. So walks and searches, which know only
    flat latents, reach both classes. A stored generator keeps the bytes of its file.

    Args:
        image_shape: The shape (C, H, W) of the real images, for ``fit``.

    Attributes:
        latent_dim: Z.
        label_column: The number of a latent that says the class; None for a network without labels.
        passes_per_image: Passes of the network for an image.

    Raises:
        BorderlineError: When it cannot be read; the sentence begins with a setting of ``settings``.
    """

    called = "generator"
    advice = "import another generator of the pair, or use a generator of kind gasten"

    def __init__(
        self,
        settings: ImportedParams,
        content: bytes,
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        arguments = {"settings": settings, "content": content, "image_shape": image_shape}
        self.made_of = type(self), arguments
        self.settings, self.image_shape = settings, image_shape
        self.network = read_network(settings.source, content)
        self.network.usual = _IMAGES
        self.passes_per_image = self.network.passes_per_image
        self.latent_shape = _latent_shape(settings, self.network.latent_shape)
        _check_labels(settings, self.network.classes)
        size = math.prod(self.latent_shape)
        self.label_column = None if settings.labels is None else size
        self.latent_dim = size if settings.labels is None else size + 1

    def __reduce__(self) -> Any:
        return type(self), tuple(self.made_of[1].values())

    @cached_property
    def batch_size(self) -> int:
        """The number of images at once: fewer where the network's own images are larger."""
        if not self.settings.fit:
            return BATCH_SIZE
        device = next((w.device for w in self.parameters()), torch.device("cpu"))
        with torch.inference_mode():
            own = self.own_images(torch.zeros(1, self.latent_dim, device=device))
        return images_at_once(own.shape) if own.dim() == 4 else BATCH_SIZE

    def forward(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, Z) to images."""
        images = self.own_images(latents)
        if not self.settings.fit or self.image_shape is None or images.dim() != 4:
            return images
        channels, height, width = self.image_shape
        return fitted(images, channels, (height, width))

    def own_images(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, Z) to the images of the network, of its size and colour."""
        if len(latents) == 0:
            # Not every network takes a batch without latents.
            return self.own_images(latents.new_zeros(1, self.latent_dim))[:0]
        labels, named = self._labels(latents)
        latents = latents[:, : self.label_column]
        if self.settings.latents == "uniform":
            # The normal distribution function is monotonic: walks among normal latents stay walks.
            latents = torch.erf(latents / 2**0.5)
        latents = latents.reshape(-1, *self.latent_shape)
        low, high = self.settings.range
        with faults_with_lines():
            images = self.network.outputs(latents, *labels, **named).float()
        return (images - low) / (high - low) * 2 - 1

    def _labels(self, latents: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The labels of latents by position and by keyword."""
        labels = self.settings.labels
        if labels is None:
            return [], {}
        ends = latents.new_tensor([labels.negative, labels.positive], dtype=torch.int64)
        values = ends[(latents[:, self.label_column] > 0).long()]
        return ([values], {}) if labels.argument is None else ([], {labels.argument: values})


def _latent_shape(settings: ImportedParams, declared: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape of a latent, as the file declares it, or else as the settings say."""
    if declared is None:
        assert settings.shape is not None, "checked with the settings"
        return settings.shape
    if isinstance(settings.latent_shape, tuple) and settings.latent_shape != declared:
        raise BorderlineError(
            f"latent_shape is {list(settings.latent_shape)}, but the latents of this pipeline are "
            f"of shape {list(declared)}: remove latent_shape."
        )
    if settings.latent_dim not in (None, math.prod(declared)):
        raise BorderlineError(
            f"latent_dim is {settings.latent_dim}, but the latents of this pipeline are of shape "
            f"{list(declared)}, {math.prod(declared)} numbers: remove latent_dim."
        )
    return declared


def _check_labels(settings: ImportedParams, classes: int | None) -> None:
    """Check labels against the number of classes of a file that declares it; 0 for no labels."""
    if classes is None:
        return
    if settings.labels is None and classes > 0:
        raise BorderlineError(
            f"labels is None, but this pipeline is told which of its {classes} classes to make: "
            "set it to those of the pair, such as {negative: 3, positive: 0}."
        )
    if settings.labels is not None and classes == 0:
        raise BorderlineError(
            "labels is set, but this pipeline takes no class: set labels to null."
        )
    if settings.labels is not None:
        for name in ("negative", "positive"):
            label = getattr(settings.labels, name)
            if label >= classes:
                raise BorderlineError(
                    f"labels.{name} is {label}, but this pipeline has {classes} classes: name one "
                    f"from 0 to {classes - 1}."
                )


def check_generator(network: ImportedGenerator, image_shape: tuple[int, ...]) -> None:
    """Make sure that a generator fits its settings and the shape (C, H, W) of the real images.

    Raises:
        BorderlineError: When it does not; the sentence begins with a setting of the generator.
    """
    settings = network.settings
    random = torch.Generator().manual_seed(0)
    try:
        latents = torch.randn(_TRIED, network.latent_dim, generator=random)
        with torch.no_grad():
            images, shape = network.own_images(latents), network(latents).shape
    except NoScores as error:
        raise BorderlineError(
            f"source.output is {settings.source.output!r}, which finds no images: {error}; set it "
            "to the name or the position of the output that holds them."
        ) from error
    except Exception as error:
        labels = "" if settings.labels is None else f" and labels {settings.labels.plain()}"
        if network.network.latent_shape is not None:
            raise BorderlineError(
                f"source.path is a pipeline that cannot take latents of its own shape "
                f"{_in_words(network.latent_shape)}{labels} ({first_line(error)}): correct the "
                "sample_size and the scheduler in its files, or choose another pipeline."
            ) from error
        raise BorderlineError(
            f"latent_dim is {settings.latent_dim} and latent_shape "
            f"{_in_words(settings.latent_shape)}{labels}, but the generator cannot take such "
            f"latents ({first_line(error)}): correct them."
        ) from error
    if tuple(shape) != (_TRIED, *image_shape):
        remedy = (
            "name a generator of images of 1 or 3 channels."
            if settings.fit
            else "set fit to true, or set source.size and source.colour in conf/<env>/globals.yml "
            "to those of the generator."
        )
        raise BorderlineError(
            f"source makes images of shape {list(images.shape[1:])}, but the real ones are of "
            f"shape {list(image_shape)} (channels, height, width): {remedy}"
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
        again = network.own_images(latents)
    if float((again - images).abs().max()) > _OUTSIDE:
        raise BorderlineError(
            "source makes another image of the same latent vector each time: switch off its "
            "dropout and its noise (model.eval()) before you save it."
        )
    # Two, because gradients need the memory of all steps of a decoder.
    z = latents[:2].clone().requires_grad_(True)
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


def check_shades(network: ImportedGenerator, real_images: Tensor) -> None:
    """Make sure that a generator uses the dark and the bright half of its range, as real images do.

    A generator of pixels in [0, 1] with the range [-1, 1] makes nothing darker than grey.

    Args:
        network: A generator that :func:`check_generator` has accepted.
        real_images: Real images in [-1, 1], shape (N, C, H, W).

    Raises:
        BorderlineError: When it does not; the sentence begins with a setting of the generator.
    """
    settings, random = network.settings, torch.Generator().manual_seed(0)
    if settings.source.kind == "diffusers":
        # Its range is that of all pipelines.
        return
    latents = torch.randn(_TRIED, network.latent_dim, generator=random)
    images = in_batches(network.own_images, latents, device=torch.device("cpu"))
    low, high = settings.range
    least, most = ((float(end) + 1) / 2 * (high - low) + low for end in images.aminmax())
    for shade, sign in (("darker", -1), ("brighter", 1)):
        of_real = float((sign * real_images > 0.5).float().mean())
        if of_real > _LEAST_SHARE and float((sign * images).max()) < _OUTSIDE:
            raise BorderlineError(
                f"range is [{low:g}, {high:g}], but the generator makes pixels from "
                f"{round(least, 3):g} to {round(most, 3):g}, none of them {shade} than the middle, "
                f"and {of_real:.0%} of the pixels of the real images are much {shade}: set range "
                "to the values of black and white, or name a trained generator."
            )


def _in_words(shape: str | tuple[int, ...]) -> str:
    return repr(shape if isinstance(shape, str) else list(shape))

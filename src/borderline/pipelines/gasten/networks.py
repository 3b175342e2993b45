"""The GAN's two networks, by the name of their architecture."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from borderline.datasets.storable import storable
from borderline.image_sizes import sides
from borderline.params import RunParams
from borderline.pipelines.gasten import dcgan, resnet
from borderline.pipelines.gasten.dcgan import MapSize
from borderline.pipelines.gasten.gan_params import GanParams

_SMALLEST_MAP = 4

Generator = dcgan.Generator | resnet.Generator
Discriminator = dcgan.Discriminator | resnet.Discriminator
ImageShape = tuple[int, ...]
"""Channels, height and width."""


def feature_map_sizes(image_size: MapSize, blocks: int | None) -> list[MapSize]:
    """Heights and widths of the generator's feature maps, from the smallest to the image.

    Each side is half of the next one, rounded up: 28x28 gives 4, 7, 14, 28 for both. A side of 4
    pixels or fewer waits while the other one has more: 16x40 gives (4, 3), (4, 5), (4, 10),
    (8, 20), (16, 40). ``blocks`` is how often the longer side doubles; None doubles it from 4
    pixels or fewer.
    """
    sizes = [image_size]
    while max(sizes[0]) > _SMALLEST_MAP if blocks is None else len(sizes) <= blocks:
        height, width = sizes[0]
        least = min(_SMALLEST_MAP, max(height, width) - 1)
        sizes.insert(0, (_half(height, least), _half(width, least)))
    return sizes


def _half(side: int, least: int) -> int:
    return (side + 1) // 2 if side > least else side


@storable()
def build_generator(params: GanParams, image_shape: ImageShape) -> Generator:
    """The generator of a GAN, its weights drawn from PyTorch's global generator."""
    channels, *size = image_shape
    own = params.network("generator")
    widths = {"latent_dim": params.latent_dim, "filters": own.filters, "channels": channels}
    generator: Generator
    if params.architecture == "resnet":
        generator = resnet.Generator(
            **widths, sizes=feature_map_sizes(sides(size), resnet.BLOCKS_UP)
        )
    else:
        generator = dcgan.Generator(**widths, sizes=feature_map_sizes(sides(size), own.blocks))
    # Convolutions are faster when the channels of a pixel lie side by side.
    return generator.to(memory_format=torch.channels_last)


@storable()
def build_discriminator(params: GanParams, image_shape: ImageShape) -> Discriminator:
    """The discriminator of a GAN, its weights drawn from PyTorch's global generator."""
    channels, *size = image_shape
    own = params.network("discriminator")
    norm, widths = partial(_norm, params.loss), {"filters": own.filters, "channels": channels}
    discriminator: Discriminator
    if params.architecture == "resnet":
        discriminator = resnet.Discriminator(**widths, size=sides(size), norm=norm)
    else:
        sizes = feature_map_sizes(sides(size), own.blocks)
        discriminator = dcgan.Discriminator(**widths, sizes=sizes, norm=norm)
    return discriminator.to(memory_format=torch.channels_last)


def build_networks(
    params: GanParams, image_shape: ImageShape, run: RunParams
) -> tuple[Generator, Discriminator]:
    """Both networks with the run's initial weights, on the run's device."""
    with run.global_seed("gan", "weights"):
        generator = build_generator(params, image_shape)
        discriminator = build_discriminator(params, image_shape)
    device = run.torch_device()
    return generator.to(device), discriminator.to(device)


def trained_networks(params: GanParams, state: dict[str, Any]) -> tuple[Generator, Discriminator]:
    """Both networks of a checkpoint's state, for evaluation."""
    shape = tuple(state["image_shape"])
    generator, discriminator = build_generator(params, shape), build_discriminator(params, shape)
    generator.load_state_dict(state["generator"])
    discriminator.load_state_dict(state["discriminator"])
    return generator.eval(), discriminator.eval()


def are_finite(*networks: nn.Module) -> bool:
    """Whether every weight of the networks is a finite number."""
    weights = [w for network in networks for w in network.state_dict().values()]
    return bool(torch.stack([torch.isfinite(w).all() for w in weights]).all())


def _norm(loss: str, channels: int, size: MapSize) -> nn.Module:
    # WGAN-GP scores each image alone, so its layers normalise an image, not a batch.
    return nn.LayerNorm([channels, *size]) if loss == "wgan_gp" else nn.BatchNorm2d(channels)

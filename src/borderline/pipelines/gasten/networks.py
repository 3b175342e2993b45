"""The GAN's two networks, by the name of their architecture."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from borderline.datasets.storable import storable
from borderline.params import RunParams
from borderline.pipelines.gasten import dcgan, resnet
from borderline.pipelines.gasten.params import GanParams

_SMALLEST_MAP = 4

Generator = dcgan.Generator | resnet.Generator
Discriminator = dcgan.Discriminator | resnet.Discriminator
ImageShape = tuple[int, ...]
"""Channels, height and width."""


def feature_map_sizes(image_size: int, blocks: int | None) -> list[int]:
    """Side lengths of the generator's feature maps, from the smallest to the square image.

    Each is half of the next one, rounded up: 28 gives ``[4, 7, 14, 28]``. ``blocks`` is how often
    the side doubles; None doubles it from 4 pixels or fewer.
    """
    sizes = [image_size]
    while sizes[0] > _SMALLEST_MAP if blocks is None else len(sizes) <= blocks:
        sizes.insert(0, (sizes[0] + 1) // 2)
    return sizes


@storable()
def build_generator(params: GanParams, image_shape: ImageShape) -> Generator:
    """The generator of a GAN, its weights drawn from PyTorch's global generator."""
    channels, size, _ = image_shape
    own = params.network("generator")
    widths = {"latent_dim": params.latent_dim, "filters": own.filters, "channels": channels}
    generator: Generator
    if params.architecture == "resnet":
        generator = resnet.Generator(**widths, sizes=feature_map_sizes(size, resnet.BLOCKS_UP))
    else:
        generator = dcgan.Generator(**widths, sizes=feature_map_sizes(size, own.blocks))
    # Convolutions are faster when the channels of a pixel lie side by side.
    return generator.to(memory_format=torch.channels_last)


@storable()
def build_discriminator(params: GanParams, image_shape: ImageShape) -> Discriminator:
    """The discriminator of a GAN, its weights drawn from PyTorch's global generator."""
    channels, size, _ = image_shape
    own = params.network("discriminator")
    norm, widths = partial(_norm, params.loss), {"filters": own.filters, "channels": channels}
    discriminator: Discriminator
    if params.architecture == "resnet":
        discriminator = resnet.Discriminator(**widths, size=size, norm=norm)
    else:
        sizes = feature_map_sizes(size, own.blocks)
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


def _norm(loss: str, channels: int, size: int) -> nn.Module:
    # WGAN-GP scores each image alone, so its layers normalise an image, not a batch.
    return nn.LayerNorm([channels, size, size]) if loss == "wgan_gp" else nn.BatchNorm2d(channels)

"""The GAN's two networks, by the name of their architecture."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

from borderline.params import RunParams
from borderline.pipelines.gasten import dcgan, resnet
from borderline.pipelines.gasten.params import GanParams

_SMALLEST_MAP = 4
_WEIGHT_STD = 0.02

Generator = dcgan.Generator | resnet.Generator
Discriminator = dcgan.Discriminator | resnet.Discriminator
AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)
ImageShape = tuple[int, ...]
"""Channels, height and width."""


def feature_map_sizes(image_size: int, blocks: int | None) -> list[int]:
    """Side lengths of the generator's feature maps, from the smallest to the image.

    Args:
        image_size: Side of the square image in pixels.
        blocks: How often the side doubles; None doubles it from 4 pixels or fewer.

    Returns:
        Side lengths, each half of the next one, rounded up: 28 gives ``[4, 7, 14, 28]``.
    """
    sizes = [image_size]
    while sizes[0] > _SMALLEST_MAP if blocks is None else len(sizes) <= blocks:
        sizes.insert(0, (sizes[0] + 1) // 2)
    return sizes


def build_generator(params: GanParams, image_shape: ImageShape) -> Generator:
    """The generator of a GAN, its weights drawn from PyTorch's global generator."""
    channels, size, _ = image_shape
    widths = {"latent_dim": params.latent_dim, "filters": params.filters, "channels": channels}
    if params.architecture == "resnet":
        return _laid_out(
            resnet.Generator(**widths, sizes=feature_map_sizes(size, resnet.BLOCKS_UP))
        )
    generator = dcgan.Generator(**widths, sizes=feature_map_sizes(size, params.blocks))
    _initialise(generator)
    return _laid_out(generator)


def build_discriminator(params: GanParams, image_shape: ImageShape) -> Discriminator:
    """The discriminator of a GAN, its weights drawn from PyTorch's global generator."""
    channels, size, _ = image_shape
    # WGAN-GP scores each image alone, so its layers normalise an image, not a batch.
    norm = _layer_norm if params.loss == "wgan_gp" else _batch_norm
    if params.architecture == "resnet":
        return _laid_out(
            resnet.Discriminator(filters=params.filters, channels=channels, size=size, norm=norm)
        )
    discriminator = dcgan.Discriminator(
        filters=params.filters,
        channels=channels,
        sizes=feature_map_sizes(size, params.blocks),
        norm=norm,
    )
    _initialise(discriminator)
    return _laid_out(discriminator)


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


def _batch_norm(channels: int, size: int) -> nn.Module:
    return nn.BatchNorm2d(channels)


def _layer_norm(channels: int, size: int) -> nn.Module:
    return nn.LayerNorm([channels, size, size])


def _laid_out(network: AnyNetwork) -> AnyNetwork:
    # Convolutions are faster when the channels of a pixel lie side by side.
    return network.to(memory_format=torch.channels_last)


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, _WEIGHT_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, _WEIGHT_STD)
            nn.init.zeros_(module.bias)

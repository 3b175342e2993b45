from __future__ import annotations

import pytest
import torch
from torch import nn

from borderline.pipelines.gasten.networks import Discriminator, Generator, feature_map_sizes


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (28, [4, 7, 14, 28]),
        (32, [4, 8, 16, 32]),
        (64, [4, 8, 16, 32, 64]),
        (8, [4, 8]),
        (9, [3, 5, 9]),
    ],
)
def test_sizes_double_up_to_the_image(size: int, sizes: list[int]) -> None:
    assert feature_map_sizes(size) == sizes


@pytest.mark.parametrize("size", [8, 9, 28, 32, 33, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_square_image_goes_both_ways(size: int, channels: int) -> None:
    generator = Generator(latent_dim=5, filters=2, channels=channels, image_size=size)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    assert Discriminator(filters=2, channels=channels, image_size=size)(images).shape == (3,)


def test_reference_widths_for_28x28() -> None:
    generator = Generator(latent_dim=64, filters=64, channels=1, image_size=28)
    linear = next(m for m in generator.modules() if isinstance(m, nn.Linear))
    convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert (linear.in_features, linear.out_features) == (64, 256 * 16)
    assert [(m.in_channels, m.out_channels) for m in convolutions] == [
        (256, 128),
        (128, 64),
        (64, 1),
    ]
    discriminator = Discriminator(filters=64, channels=1, image_size=28)
    widths = [m.out_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [64, 128, 256]


def test_weights_start_at_a_spread_of_0_02() -> None:
    generator = Generator(latent_dim=64, filters=64, channels=1, image_size=28)
    for module in generator.modules():
        if isinstance(module, nn.Linear | nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert abs(module.weight.mean().item()) < 1e-3

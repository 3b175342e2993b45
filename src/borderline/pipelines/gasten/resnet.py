"""Residual GAN for images of 32x32 and larger (after Gulrajani et al. 2017).

The generator has three blocks up, the discriminator four blocks down, each of ``filters`` doubled
or halved from block to block: 8F -> 4F -> 2F -> F up, F -> 2F -> 4F -> 8F down.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from borderline.pipelines.gasten.dcgan import MapSize, Norm

BLOCKS_UP = 3
BLOCKS_DOWN = 4


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, size: MapSize) -> None:
        super().__init__()
        self.size = size
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, maps: Tensor) -> Tensor:
        larger = F.interpolate(torch.relu(self.norm1(maps)), size=self.size)
        residual = self.conv2(torch.relu(self.norm2(self.conv1(larger))))
        return residual + self.shortcut(F.interpolate(maps, size=self.size))  # type: ignore[no-any-return]


class _Down(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, size: MapSize, norm: Norm, *, first: bool
    ) -> None:
        super().__init__()
        self.first = first
        self.norm1 = nn.Identity() if first else norm(inputs, size)
        self.norm2 = norm(outputs, size)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, maps: Tensor) -> Tensor:
        # The first block sees pixels, which a ReLU would cut in half.
        entry = maps if self.first else torch.relu(self.norm1(maps))
        residual = self.conv2(torch.relu(self.norm2(self.conv1(entry))))
        return _halved(residual) + self.shortcut(_halved(maps))  # type: ignore[no-any-return]


class Generator(nn.Module):
    """Latent vectors (N, latent_dim), standard normal, to images (N, C, H, W) in [-1, 1].

    ``sizes`` are the four heights and widths of the feature maps, from the smallest to the image.
    """

    def __init__(
        self, *, latent_dim: int, filters: int, channels: int, sizes: list[MapSize]
    ) -> None:
        super().__init__()
        self.latent_dim, self.image_shape = latent_dim, (channels, *sizes[-1])
        widths = [filters * 2 ** (BLOCKS_UP - i) for i in range(BLOCKS_UP + 1)]
        self.net = nn.Sequential(
            nn.Linear(latent_dim, widths[0] * prod(sizes[0])),
            nn.Unflatten(1, (widths[0], *sizes[0])),
            *(_Up(widths[i], widths[i + 1], sizes[i + 1]) for i in range(BLOCKS_UP)),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, latent_dim) to images (N, C, H, W)."""
        return self.net(latents)  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to logits (N,): positive for "real"."""

    def __init__(self, *, filters: int, channels: int, size: MapSize, norm: Norm) -> None:
        super().__init__()
        widths = [channels] + [filters * 2**i for i in range(BLOCKS_DOWN)]
        blocks: list[nn.Module] = []
        for i in range(BLOCKS_DOWN):
            blocks.append(_Down(widths[i], widths[i + 1], size, norm, first=i == 0))
            size = -(-size[0] // 2), -(-size[1] // 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        return self.head(torch.relu(self.blocks(images)).mean(dim=(2, 3)))[:, 0]  # type: ignore[no-any-return]


def _halved(maps: Tensor) -> Tensor:
    return F.avg_pool2d(maps, 2, ceil_mode=True)

"""DCGAN for images of any size and number of channels (Radford et al. 2016; GASTeN's sizes).

For 28x28 images, 3 blocks and ``filters = F`` the generator is: linear to (4F, 4, 4), then
transposed convolutions 5x5 stride 2 with 4F -> 2F -> F -> C channels and sizes 4 -> 7 -> 14 -> 28;
the discriminator mirrors it. For images that are not square, the longer side sets the number of
blocks, and the smallest blocks change it alone.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import prod

from torch import Tensor, nn

_WEIGHT_STD = 0.02

MapSize = tuple[int, int]
"""Height and width of feature maps."""
Norm = Callable[[int, MapSize], nn.Module]
"""Makes the discriminator's normalisation from the channels and the size of feature maps."""


class Generator(nn.Module):
    """Latent vectors (N, latent_dim), standard normal, to images (N, C, H, W) in [-1, 1].

    ``filters`` are the channels before the last layer, ``sizes`` the heights and widths of the
    feature maps, from the smallest to the image.
    """

    def __init__(
        self, *, latent_dim: int, filters: int, channels: int, sizes: list[MapSize]
    ) -> None:
        super().__init__()
        self.latent_dim, self.image_shape = latent_dim, (channels, *sizes[-1])
        blocks = len(sizes) - 1
        widths = [filters * 2 ** (blocks - 1 - i) for i in range(blocks)] + [channels]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, widths[0] * prod(sizes[0]), bias=False),
            nn.Unflatten(1, (widths[0], *sizes[0])),
        ]
        for i, (small, large) in enumerate(pairwise(sizes)):
            strides = _strides(small, large)
            layers += [
                nn.BatchNorm2d(widths[i]),
                nn.ReLU(),
                nn.ConvTranspose2d(
                    widths[i],
                    widths[i + 1],
                    kernel_size=5,
                    stride=strides,
                    padding=2,
                    output_padding=(
                        large[0] - (strides[0] * (small[0] - 1) + 1),
                        large[1] - (strides[1] * (small[1] - 1) + 1),
                    ),
                    bias=i == blocks - 1,
                ),
            ]
        self.net = nn.Sequential(*layers, nn.Tanh())
        self.apply(_initialise)

    def forward(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, latent_dim) to images (N, C, H, W)."""
        return self.net(latents)  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to logits (N,): positive for "real".

    The first layer has ``filters`` channels and no normalisation; each further one doubles them.
    """

    def __init__(self, *, filters: int, channels: int, sizes: list[MapSize], norm: Norm) -> None:
        super().__init__()
        blocks = len(sizes) - 1
        widths = [channels] + [filters * 2**i for i in range(blocks)]
        layers: list[nn.Module] = []
        for i in range(blocks):
            strides = _strides(sizes[-2 - i], sizes[-1 - i])
            layers.append(
                nn.Conv2d(widths[i], widths[i + 1], 5, stride=strides, padding=2, bias=i == 0)
            )
            if i > 0:
                layers.append(norm(widths[i + 1], sizes[-2 - i]))
            layers.append(nn.LeakyReLU(0.2))
        self.net = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(widths[-1] * prod(sizes[0]), 1), nn.Flatten(0)
        )
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        return self.net(images)  # type: ignore[no-any-return]


def _strides(small: MapSize, large: MapSize) -> tuple[int, int]:
    """The strides between feature maps: 1 for a side that waits for the other, else 2."""
    if small[0] == large[0] > 1:
        return 1, 2
    return (2, 1) if small[1] == large[1] > 1 else (2, 2)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, _WEIGHT_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, _WEIGHT_STD)
        nn.init.zeros_(module.bias)

"""DCGAN for square images of any size and number of channels (Radford et al. 2016; GASTeN's sizes).

For 28x28 images and ``filters = F`` the generator is: linear to (4F, 4, 4), then transposed
convolutions 5x5 stride 2 with 4F -> 2F -> F -> C channels and sizes 4 -> 7 -> 14 -> 28; the
discriminator mirrors it.
"""

from __future__ import annotations

from torch import Tensor, nn

_SMALLEST_MAP = 4
_WEIGHT_STD = 0.02


def feature_map_sizes(image_size: int) -> list[int]:
    """Side lengths of the generator's feature maps, from the smallest to the image.

    Args:
        image_size: Side of the square image in pixels, at least 8.

    Returns:
        Side lengths, each the half of the next one rounded up: 28 gives ``[4, 7, 14, 28]``.
    """
    sizes = [image_size]
    while sizes[0] > _SMALLEST_MAP:
        sizes.insert(0, (sizes[0] + 1) // 2)
    return sizes


class Generator(nn.Module):
    """Latent vectors (N, latent_dim), standard normal, to images (N, C, H, W) in [-1, 1]."""

    def __init__(self, *, latent_dim: int, filters: int, channels: int, image_size: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        sizes = feature_map_sizes(image_size)
        blocks = len(sizes) - 1
        widths = [filters * 2 ** (blocks - 1 - i) for i in range(blocks)] + [channels]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, widths[0] * sizes[0] ** 2, bias=False),
            nn.Unflatten(1, (widths[0], sizes[0], sizes[0])),
        ]
        for i in range(blocks):
            layers += [
                nn.BatchNorm2d(widths[i]),
                nn.ReLU(),
                nn.ConvTranspose2d(
                    widths[i],
                    widths[i + 1],
                    kernel_size=5,
                    stride=2,
                    padding=2,
                    output_padding=sizes[i + 1] - (2 * sizes[i] - 1),
                    bias=i == blocks - 1,
                ),
            ]
        self.net = nn.Sequential(*layers, nn.Tanh())
        _initialise(self)

    def forward(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, latent_dim) to images (N, C, H, W)."""
        return self.net(latents)  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to logits (N,): positive for "real"."""

    def __init__(self, *, filters: int, channels: int, image_size: int) -> None:
        super().__init__()
        sizes = feature_map_sizes(image_size)
        blocks = len(sizes) - 1
        widths = [channels] + [filters * 2**i for i in range(blocks)]
        layers: list[nn.Module] = []
        for i in range(blocks):
            layers.append(nn.Conv2d(widths[i], widths[i + 1], 5, stride=2, padding=2, bias=i == 0))
            if i > 0:
                layers.append(nn.BatchNorm2d(widths[i + 1]))
            layers.append(nn.LeakyReLU(0.2))
        self.net = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(widths[-1] * sizes[0] ** 2, 1), nn.Flatten(0)
        )
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        return self.net(images)  # type: ignore[no-any-return]


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, _WEIGHT_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, _WEIGHT_STD)
            nn.init.zeros_(module.bias)

"""A flow from noise to images: its network, and its decoder (Lipman et al. 2023).

The network is the velocity of points that move from noise at time 0 to images at time 1. The
decoder follows it in a few steps, so an image is a function of its noise, with gradients.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from borderline.datasets.storable import storable
from borderline.errors import NotInstalled
from borderline.pipelines.gasten.params import DiffusionParams, Solver

UNKNOWN = 0.5
"""The share of the positive class where the class is not known."""

_PATCH = 2
_GROUPS = 8
# A normal coordinate of the latent chooses the class: of three latents, two are nearly pure.
_STEEPNESS = 3.0
# The time that the embedding takes has the scale of the steps of a diffusion.
_TIMES = 1000.0
_CORRECTIONS = 8
# About two million values of a layer fit into a processor's cache. A GPU would wait for its next
# batch most of the time: on an H200, 512 images of 28 pixels at once are five times as fast as 128.
_PIXELS_ON_A_CPU, _PIXELS_ON_A_GPU = 2**17, 2**19


class Velocity(nn.Module):
    """The velocity of points (N, C, H, W), with H and W multiples of :attr:`multiple`.

    Squares of 2x2 pixels are the channels of one, which makes the network four times cheaper. The
    class is a share of the positive one, so that there is a point between the classes too.
    """

    def __init__(self, channels: tuple[int, ...], layers: int, image_channels: int) -> None:
        super().__init__()
        try:
            from diffusers import UNet2DModel
        except ModuleNotFoundError as error:
            raise NotInstalled(
                "The generator of kind 'diffusion' needs the package diffusers: install it "
                "(pip install 'borderline[diffusion]')."
            ) from error

        inner = image_channels * _PATCH**2
        self.unet = UNet2DModel(
            in_channels=inner,
            out_channels=inner,
            block_out_channels=channels,
            layers_per_block=layers,
            down_block_types=("DownBlock2D",) * len(channels),
            up_block_types=("UpBlock2D",) * len(channels),
            norm_num_groups=_GROUPS,
            attn_norm_num_groups=_GROUPS,
            # After the normalisation, which would remove a time and a class that are added before.
            resnet_time_scale_shift="scale_shift",
            class_embed_type="identity",
        )
        self.classes = nn.Embedding(2, 4 * channels[0])
        self.multiple = multiple_of(channels)

    def forward(self, points: Tensor, times: Tensor, shares: Tensor) -> Tensor:
        """The velocity (N, C, H, W) at times in [0, 1] with shares in [0, 1], both (N,)."""
        negative, positive = self.classes.weight
        classes = torch.lerp(negative, positive, shares[:, None])
        inner = F.pixel_unshuffle(points, _PATCH)
        velocity = self.unet(inner, _TIMES * times, classes, return_dict=False)[0]
        return F.pixel_shuffle(velocity, _PATCH)


def multiple_of(channels: tuple[int, ...]) -> int:
    """The number that divides height and width of the points of a network with these channels."""
    return int(_PATCH * 2 ** (len(channels) - 1))


def padded(images: Tensor, multiple: int) -> Tensor:
    """Images whose height and width are multiples of a number; their edges go on."""
    height, width = images.shape[2:]
    return F.pad(images, (0, -width % multiple, 0, -height % multiple), mode="replicate")


class Decoder(nn.Module):
    """Standard normal latents (N, ``latent_dim``) to images (N, C, H, W) in [-1, 1].

    A latent has the noise, and a coordinate for the class: negative for the negative class of the
    pair, and positive for the other. So half of all latents are of each class.
    """

    called = "flow"
    advice = "train the flow for more epochs, or use a generator of kind gasten"

    def __init__(
        self, velocity: Velocity, image_shape: tuple[int, ...], steps: int, solver: Solver
    ) -> None:
        super().__init__()
        self.velocity, self.steps, self.solver = velocity, steps, solver
        self.image_shape = tuple(image_shape)
        channels, height, width = image_shape
        height, width = (side + -side % velocity.multiple for side in (height, width))
        self.points_shape = channels, height, width
        self.latent_dim = math.prod(self.points_shape) + 1

    @property
    def batch_size(self) -> int:
        """The number of images to make at once on the device of the weights."""
        on_cpu = next(self.parameters()).device.type == "cpu"
        pixels = _PIXELS_ON_A_CPU if on_cpu else _PIXELS_ON_A_GPU
        return max(1, pixels // math.prod(self.points_shape[1:]))

    @property
    def passes_per_image(self) -> int:
        """The number of passes through the network for an image."""
        return self.steps * (2 if self.solver == "heun" else 1)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents to images."""
        points, shares = self._split(latents)
        length = 1 / self.steps
        for step in range(self.steps):
            velocity = self._velocity(points, step * length, shares)
            moved = points + length * velocity
            if self.solver == "heun":
                velocity = (velocity + self._velocity(moved, (step + 1) * length, shares)) / 2
                moved = points + length * velocity
            points = moved
        _, height, width = self.image_shape
        return points[:, :, :height, :width].clamp(-1, 1)

    @torch.no_grad()
    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (N, ``latent_dim``) whose decoded images are close to the given ones.

        The steps of the decoder in the opposite direction: each finds the point from which the
        decoder's step leads to the present one, by fixed-point iteration.

        Args:
            images: Images (N, C, H, W) in [-1, 1].
            labels: 1 for the positive class, 0 for the negative one, (N,); None where not known.
        """
        points = padded(images, self.velocity.multiple)
        signs = torch.zeros(len(points)) if labels is None else 2.0 * labels - 1
        coordinates = signs.to(points)
        shares = _shares(coordinates)
        length = 1 / self.steps
        for step in reversed(range(self.steps)):
            after = points
            for _ in range(_CORRECTIONS):
                velocity = self._velocity(points, step * length, shares)
                if self.solver == "heun":
                    moved = points + length * velocity
                    velocity = (velocity + self._velocity(moved, (step + 1) * length, shares)) / 2
                points = after - length * velocity
        return torch.cat([points.flatten(1), coordinates[:, None]], dim=1)

    def _split(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The points at time 0 and the shares of the positive class."""
        return latents[:, :-1].unflatten(1, self.points_shape), _shares(latents[:, -1])

    def _velocity(self, points: Tensor, time: float, shares: Tensor) -> Tensor:
        velocity: Tensor = self.velocity(points, torch.full_like(shares, time), shares)
        return velocity


def _shares(coordinates: Tensor) -> Tensor:
    """The shares of the positive class at normal coordinates: half of them are below 0.5."""
    shares: Tensor = torch.special.ndtr(_STEEPNESS * coordinates)
    return shares


@storable()
def build_decoder(params: DiffusionParams, image_shape: tuple[int, ...]) -> Decoder:
    """The decoder of a flow, its weights drawn from PyTorch's global generator."""
    velocity = Velocity(params.channels, params.layers, image_shape[0])
    return Decoder(velocity, image_shape, params.steps, params.solver).to(
        memory_format=torch.channels_last
    )

"""Images of one shade, and a model and a generator of them whose boundary is grey."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.records import LabelledImages, Part
from borderline.sampling import Parts, Sampler

SHAPE = (1, 8, 8)


class Brightness(nn.Module):
    """p rises with the brightness; the embedding is the brightness."""

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1).mean(1, keepdim=True)

    def forward(self, images: Tensor) -> Tensor:
        return 4 * self.embed(images)[:, 0]


class Decoder(nn.Module):
    latent_dim = 2

    def forward(self, latents: Tensor) -> Tensor:
        return latents[:, :1, None, None].tanh().expand(-1, *SHAPE)


@dataclass(frozen=True, kw_only=True)
class Near(Sampler):
    """Images near the boundary."""

    has_space: bool = True

    def sample(
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
    ) -> Parts:
        levels = torch.rand(images, generator=run.generator("near")) * 0.04 - 0.02
        shown = levels[:, None, None, None].expand(-1, *SHAPE)
        yield Part(images=shown, probabilities=torch.sigmoid(4 * levels))
        return ""

    @property
    def decoder(self) -> nn.Module | None:
        return Decoder() if self.has_space else None

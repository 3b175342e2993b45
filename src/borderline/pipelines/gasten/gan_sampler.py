"""Images of a trained generator, wherever they fall."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from borderline.params import RunParams
from borderline.records import LabelledImages
from borderline.sampling import Parts, Sampler, make_part, part_sizes


@dataclass(frozen=True, kw_only=True)
class GanSampler(Sampler):
    """Images of latent vectors from a normal distribution.

    Attributes:
        generator: The trained network.
    """

    generator: nn.Module

    def sample(
        self, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams
    ) -> Parts:
        """See :class:`~borderline.sampling.Sampler`."""
        device, random = run.torch_device(), run.generator("generated images")
        generator = self.generator.to(device).eval()
        for size in part_sizes(images):
            latent_dim = int(generator.latent_dim)  # type: ignore[arg-type]
            latents = torch.randn(size, latent_dim, generator=random)
            yield make_part(generator, classifier, latents, device)
        return ""

    @property
    def decoder(self) -> nn.Module:
        """The trained network."""
        return self.generator

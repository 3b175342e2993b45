"""Ratings of how real images look."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from borderline.measures.inference import embed, in_batches

Rate = Callable[[Tensor], Tensor]
"""Takes images (N, C, H, W), returns a rating of each, shape (N,): the more real, the larger."""


def rate_by_discriminator(discriminator: nn.Module, device: torch.device) -> Rate:
    """The logit of a discriminator."""
    discriminator = discriminator.to(device).eval()
    return lambda images: in_batches(discriminator, images, device=device)


def rate_by_judge(judge: nn.Module, real_features: Tensor, device: torch.device) -> Rate:
    """The negative distance to the nearest real image in the judge's features.

    Args:
        judge: A network with a method ``embed``.
        real_features: Its features of the real training images, shape (M, D).
        device: Where to compute.
    """
    nearest = NearestNeighbors(n_neighbors=1).fit(real_features.numpy())

    def rate(images: Tensor) -> Tensor:
        distances, _ = nearest.kneighbors(embed(judge, images, device).numpy())
        return -torch.from_numpy(distances[:, 0])

    return rate

"""Differences between the members of a committee: other images, and blends of them."""

from __future__ import annotations

import torch
from sklearn.utils import resample
from torch import Tensor
from torch.nn import functional as F


def bootstrap(rows: Tensor, labels: Tensor, seed: int) -> Tensor:
    """As many rows (N,), drawn with replacement in the proportions of their labels (N,)."""
    drawn = resample(rows.cpu().numpy(), stratify=labels.cpu().numpy(), random_state=seed)
    return torch.from_numpy(drawn).to(rows.device)


def blend(
    images: Tensor, labels: Tensor, random: torch.Generator, *, classes: int, share: float
) -> tuple[Tensor, Tensor]:
    """Blend the first images of a batch with other images of it (mixup; Zhang et al. 2018).

    The weights are uniform, as with their alpha of 1. The labels are blended like the images.

    Args:
        images: Shape (N, C, H, W).
        labels: Classes, int64 (N,).
        classes: The number of classes K.
        share: The share of the batch that is blended, in [0, 1].
        random: A generator on the CPU.

    Returns:
        Images (N, C, H, W) and probabilities of the classes (N, K).
    """
    count = round(share * len(images))
    others = torch.randperm(len(images), generator=random)[:count].to(images.device)
    weights = torch.rand(count, generator=random).to(images.device)
    targets = F.one_hot(labels, classes).to(images.dtype)

    def blended(values: Tensor) -> Tensor:
        w = weights.reshape(-1, *[1] * (values.dim() - 1))
        return torch.cat([w * values[:count] + (1 - w) * values[others], values[count:]])

    return blended(images), blended(targets)

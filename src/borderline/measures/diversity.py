"""How much the images of a set differ from each other, in the features of a judge.

Features are float tensors of shape (N, D); everything is computed in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from borderline.measures.intervals import Estimate, estimate, estimate_of_share
from borderline.measures.realism import nearest

DIVERSITY = ("vendi", "near_duplicates")
"""What ``judge_diversity`` measures."""

_NEAR_QUANTILE = 0.01


def near_distance(features: Tensor) -> float:
    """How near two images of a set must be to be near-duplicates.

    Args:
        features: Of as many real images as there are images to judge, shape (N, D).

    Returns:
        The distance to the nearest other image that 1 % of the real images fall below.
    """
    return torch.quantile(nearest(features.double(), 1)[0][:, 0], _NEAR_QUANTILE).item()


def judge_diversity(features: Tensor, near: float, weights: Tensor) -> dict[str, Estimate]:
    """The measures of diversity of a set of images, each with a 95 % interval.

    - ``vendi``: the Vendi score (Friedman and Dieng 2023) with cosine similarity: the number of
      wholly different images that would be as diverse; from 1 (all alike) to min(N, D).
    - ``near_duplicates``: the share of images that have another one nearer than ``near``. About 1 %
      in a set as diverse as the real one.

    Args:
        features: Shape (N, D), N at least 2.
        near: As ``near_distance`` gives it for N real images.
        weights: How often each image is in each resample, shape (B, N).
    """
    directions = F.normalize(features.double(), dim=1)
    replicates = torch.stack([_vendi(directions, w) for w in weights.double()])
    vendi = _vendi(directions, torch.ones(len(features), dtype=torch.float64)).item()
    return {
        "vendi": estimate(vendi, replicates).within(1, len(features)),
        "near_duplicates": _near_duplicates(features.double(), near),
    }


def _vendi(directions: Tensor, weights: Tensor) -> Tensor:
    weighted = directions * (weights / weights.sum()).sqrt()[:, None]
    # The similarities' N x N matrix and the D x D one have the same eigenvalues but for zeros.
    n, d = weighted.shape
    matrix = weighted @ weighted.T if n < d else weighted.T @ weighted
    values = torch.linalg.eigvalsh(matrix).clamp(min=0)
    score: Tensor = torch.special.entr(values).sum().exp()
    return score


def _near_duplicates(features: Tensor, near: float) -> Estimate:
    alike = int((nearest(features, 1)[0][:, 0] < near).sum())
    # Near-duplicates come by twos at least, so there are half as many chances as images; and a
    # resample of a set without any has none either, which says nothing.
    spread = estimate_of_share(alike // 2, len(features) // 2)
    share = alike / len(features)
    return Estimate(share, min(spread.low, share), max(spread.high, share))

"""Diversity of a set of images, in the features of a judge.

Features are float tensors of shape (N, D); all measures are computed in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from borderline.measures.intervals import Estimate, estimate_by_groups, estimate_of_share
from borderline.measures.realism import nearest

DIVERSITY = ("vendi", "near_duplicates")
"""The measures of ``judge_diversity``."""

_NEAR_QUANTILE = 0.01
_TINY = 1e-6


def near_distance(features: Tensor) -> float:
    """The 1 % quantile of the distance from a real image to its nearest neighbour."""
    # The distance shrinks with the number of images.
    return torch.quantile(nearest(features.double(), 1)[0][:, 0], _NEAR_QUANTILE).item()


def judge_diversity(features: Tensor, near: float, among: int) -> dict[str, Estimate]:
    """The diversity of a set of images, each measure with a 95 % interval.

    - ``vendi``: the Vendi score (Friedman and Dieng 2023) with cosine similarity: the effective
      number of different images, from 1 (all alike) to min(N, D).
    - ``near_duplicates``: the share of images with a neighbour within ``near``; about 1 % in a set
      as diverse as the real images.

    Args:
        among: The number of real images behind ``near``; as many images are searched.

    Example:
        >>> round(judge_diversity(torch.eye(5), near=0.1, among=5)["vendi"].value, 6)
        5.0
    """
    features = features.double()
    directions = _directions(features)

    def vendi(rows: Tensor) -> float:
        return _vendi(directions[rows])

    n = len(features)
    return {
        "vendi": estimate_by_groups(vendi(torch.arange(n)), vendi, n).within(1, n),
        "near_duplicates": _near_duplicates(features[:among], near),
    }


def _directions(features: Tensor) -> Tensor:
    # Images whose features are all 0 have no direction; they count as alike.
    zero = (features == 0).all(1, keepdim=True)
    return F.normalize(features.masked_fill(zero, 1.0), dim=1)


def _vendi(directions: Tensor) -> float:
    n, d = directions.shape
    # The N x N matrix of similarities and the D x D one have the same nonzero eigenvalues.
    matrix = directions @ directions.T if n < d else directions.T @ directions
    values = torch.linalg.eigvalsh(matrix / n).clamp(min=0)
    return max(float(torch.special.entr(values).sum().exp()), 1.0)


def _near_duplicates(features: Tensor, near: float) -> Estimate:
    # The distance of exact twins is 0 up to rounding.
    reach = near + _TINY * float(features.abs().max())
    alike = int((nearest(features, 1)[0][:, 0] <= reach).sum())
    # Near-duplicates come in pairs, so the interval counts half as many chances as images. It is
    # Wilson's: a bootstrap of a set without near-duplicates would have no width.
    spread = estimate_of_share(alike // 2, len(features) // 2)
    share = alike / len(features)
    return Estimate(share, min(spread.low, share), max(spread.high, share))

"""How much the images of a set differ from each other, in the features of a judge.

Features are float tensors of shape (N, D); everything is computed in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from borderline.measures.intervals import Estimate, estimate_by_groups, estimate_of_share
from borderline.measures.realism import nearest

DIVERSITY = ("vendi", "near_duplicates")
"""What ``judge_diversity`` measures."""

_NEAR_QUANTILE = 0.01
_TINY = 1e-6


def near_distance(features: Tensor) -> float:
    """How near two images of a set must be to be near-duplicates.

    Args:
        features: Of real images, shape (N, D); the more there are, the nearer they lie.

    Returns:
        The distance to the nearest other image that 1 % of the real images fall below.
    """
    return torch.quantile(nearest(features.double(), 1)[0][:, 0], _NEAR_QUANTILE).item()


def judge_diversity(features: Tensor, near: float, among: int) -> dict[str, Estimate]:
    """The measures of diversity of a set of images, each with a 95 % interval.

    - ``vendi``: the Vendi score (Friedman and Dieng 2023) with cosine similarity: the number of
      wholly different images that would be as diverse; from 1 (all alike) to min(N, D).
    - ``near_duplicates``: the share of images that have another one as near as ``near``. About 1 %
      in a set as diverse as the real one.

    Args:
        features: Shape (N, D), N at least 2.
        near: As ``near_distance`` gives it.
        among: How many real images gave it: near-duplicates are looked for among as many.
    """
    features = features.double()

    def vendi(rows: Tensor) -> float:
        return _vendi(features[rows])

    n = len(features)
    return {
        "vendi": estimate_by_groups(vendi(torch.arange(n)), vendi, n).within(1, n),
        "near_duplicates": _near_duplicates(features[:among], near),
    }


def _vendi(features: Tensor) -> float:
    n, d = features.shape
    # Images whose features are all 0 have no direction, and so are alike.
    without = (features == 0).all(1, keepdim=True)
    directions = F.normalize(features.masked_fill(without, 1.0), dim=1)
    # The similarities' N x N matrix and the D x D one have the same eigenvalues but for zeros.
    matrix = directions @ directions.T if n < d else directions.T @ directions
    values = torch.linalg.eigvalsh(matrix / n).clamp(min=0)
    return max(float(torch.special.entr(values).sum().exp()), 1.0)


def _near_duplicates(features: Tensor, near: float) -> Estimate:
    # Exact twins are at no distance but for rounding.
    reach = near + _TINY * float(features.abs().max())
    alike = int((nearest(features, 1)[0][:, 0] <= reach).sum())
    # Near-duplicates come by twos at least, so there are half as many chances as images; and a
    # resample of a set without any has none either, which says nothing.
    spread = estimate_of_share(alike // 2, len(features) // 2)
    share = alike / len(features)
    return Estimate(share, min(spread.low, share), max(spread.high, share))

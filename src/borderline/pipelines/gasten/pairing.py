"""Which points of the two sides of a boundary are joined by a path."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

Pairs = Literal["random", "nearest"]


def pair_up(
    negative: Tensor, positive: Tensor, count: int, how: Pairs, metric: str, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Join points of the negative side with points of the positive side, no pair twice.

    Args:
        negative: Points of the negative side, shape (N, ...), N at least 1.
        positive: Points of the positive side, shape (P, ...), P at least 1.
        count: Wished-for number of pairs.
        how: ``random``, where every point serves about equally often, or ``nearest``: each point
            of the smaller side with its nearest neighbours on the other.
        metric: scikit-learn's name of the distance between neighbours.
        random: For random pairs.

    Returns:
        Rows of the negative and rows of the positive points, each of shape (M,), M at most
        ``count``.
    """
    if how == "random":
        draws = [_in_turn(len(side), count, random) for side in (negative, positive)]
        code = draws[0] * len(positive) + draws[1]
        unique = torch.from_numpy(np.sort(np.unique(code.numpy(), return_index=True)[1]))
        return draws[0][unique], draws[1][unique]
    if len(negative) > len(positive):
        positive_rows, negative_rows = _nearest(positive, negative, count, metric)
    else:
        negative_rows, positive_rows = _nearest(negative, positive, count, metric)
    return negative_rows, positive_rows


def _in_turn(points: int, count: int, random: torch.Generator) -> Tensor:
    rounds = -(-count // points)
    return torch.cat([torch.randperm(points, generator=random) for _ in range(rounds)])[:count]


def _nearest(few: Tensor, many: Tensor, count: int, metric: str) -> tuple[Tensor, Tensor]:
    neighbours = min(len(many), -(-count // len(few)))
    search = NearestNeighbors(n_neighbors=neighbours, metric=metric).fit(many.flatten(1).numpy())
    found = torch.from_numpy(search.kneighbors(few.flatten(1).numpy(), return_distance=False))
    rows = torch.arange(len(few)).expand(neighbours, -1)
    # First everybody's nearest, then everybody's second nearest.
    return rows.flatten()[:count], found.T.flatten()[:count]

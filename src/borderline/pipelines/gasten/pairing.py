"""Pairs of points from the two sides of a boundary, to be joined by a path."""

from __future__ import annotations

import math

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from borderline.pipelines.gasten.params import Pairs


def pair_up(
    negative: Tensor, positive: Tensor, count: int, how: Pairs, metric: str, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Join points of the negative side with points of the positive side, no pair twice.

    Args:
        negative: Shape (N, ...), N at least 1.
        positive: Shape (P, ...), P at least 1.
        count: Requested number of pairs.
        how: ``random``, where all points of a side are used equally often, or ``nearest``: each
            point of the smaller side with its nearest neighbours on the other.
        metric: scikit-learn's name of the distance between neighbours.
        random: Draws the random pairs.

    Returns:
        Rows of the negative and rows of the positive points, each of shape (M,), M at most
        ``count``.
    """
    if how == "random":
        return _in_turn(len(negative), len(positive), count, random)
    if len(negative) > len(positive):
        positive_rows, negative_rows = _nearest(positive, negative, count, metric)
    else:
        negative_rows, positive_rows = _nearest(negative, positive, count, metric)
    return negative_rows, positive_rows


def _in_turn(
    negative: int, positive: int, count: int, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Both sides shuffled and dealt in turn, one side shifted whenever the deal would repeat."""
    deals = torch.arange(min(count, negative * positive))
    shift = deals // math.lcm(negative, positive)
    orders = (torch.randperm(size, generator=random) for size in (negative, positive))
    places = (deals % negative, (deals + shift) % positive)
    first, second = (order[place] for order, place in zip(orders, places, strict=True))
    return first, second


def _nearest(few: Tensor, many: Tensor, count: int, metric: str) -> tuple[Tensor, Tensor]:
    neighbours = min(len(many), -(-count // len(few)))
    search = NearestNeighbors(n_neighbors=neighbours, metric=metric).fit(many.flatten(1).numpy())
    nearest = torch.from_numpy(search.kneighbors(few.flatten(1).numpy(), return_distance=False))
    rows = torch.arange(len(few)).expand(neighbours, -1)
    # First the nearest neighbour of every point, then the second nearest of every point.
    return rows.flatten()[:count], nearest.T.flatten()[:count]

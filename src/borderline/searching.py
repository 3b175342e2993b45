"""Steps of a search for the boundary: pairs, arcs, crossings, nearest points and repetitions."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize.elementwise import find_root
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn import functional as F

from borderline.boundary import Pairs
from borderline.printing import log_long_wait

logger = logging.getLogger(__name__)

_MOST_STEPS = 30
# Of the search for the nearest point.
_LAST_RATE = 0.01
_SHRINKING = 0.05
# Steps after which a long search says how long it takes.
_TIMED = 5
# The slope of the sigmoid is at most a quarter, so a logit that is four times as near will do.
_LOGITS_PER_PROBABILITY = 4.0
_ROWS_AT_A_TIME = 1000
# One of 256 grey levels between -1 and 1.
_GREY_LEVEL = 2 / 255


def pair_up(
    negative: Tensor, positive: Tensor, count: int, how: Pairs, metric: str, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Join points of the negative side with points of the positive side, no pair twice.

    With ``random`` all points of a side are used equally often, with ``nearest`` each point of the
    smaller side goes to its nearest neighbours on the other, by a distance of scikit-learn.

    Returns:
        Rows of the negative and rows of the positive points, each of shape (M,), M at most
        ``count``, in random order: other stages take the first images of a search.
    """
    if how == "random":
        return _in_turn(len(negative), len(positive), count, random)
    if len(negative) > len(positive):
        positive_rows, negative_rows = _nearest(positive, negative, count, metric)
    else:
        negative_rows, positive_rows = _nearest(negative, positive, count, metric)
    order = torch.randperm(len(negative_rows), generator=random)
    return negative_rows[order], positive_rows[order]


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


def sides_of_labels(
    latents: Tensor, negative: Tensor, positive: Tensor, label_column: int | None
) -> list[tuple[Tensor, Tensor]]:
    """Rows of the negative and of the positive side, of each label of a generator that takes some.

    A label cannot change by degrees, so a walk from one to the other would jump over the boundary.

    Args:
        latents: Shape (N, Z).
        negative: Which of them fall on the negative side, bool (N,).
        positive: The same of the positive side.
        label_column: The number of a latent that says the label; None for a generator without.
    """
    labels = [torch.ones_like(negative)]
    if label_column is not None:
        is_second = latents[:, label_column] > 0
        labels = [~is_second, is_second]
    return [
        ((negative & label).nonzero()[:, 0], (positive & label).nonzero()[:, 0]) for label in labels
    ]


def spherical(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Points on the arcs between vectors: spherical linear interpolation (Shoemake 1985).

    It keeps the length that latents of a normal distribution have, which a straight line would not
    (White 2016).

    The vectors have the shape (N, Z), the shares in [0, 1] the shape (N,).
    """
    a, b, t = first.double(), last.double(), shares.double()[:, None]
    cosine = torch.cosine_similarity(a, b, dim=1)[:, None].clamp(-1 + 1e-9, 1 - 1e-9)
    angle = torch.acos(cosine)
    arc = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return arc.to(first.dtype)


def find_crossings(
    logits_at: Callable[[Tensor, Tensor], Tensor],
    first: Tensor,
    last: Tensor,
    targets: Tensor,
    tolerance: float,
    may_go_on: Callable[[int], bool] | None = None,
) -> tuple[Tensor, Tensor]:
    """Find a point on each path where the probability is the target.

    Chandrupatla's method (1997) mixes bisection with inverse quadratic interpolation. It works on
    the logit, which is not flat where the probability is. Only paths that are not yet within the
    tolerance of their target are evaluated again.

    Args:
        logits_at: Takes shares of paths (B,) in (0, 1) and the rows of those paths (B,), returns
            the logits of the probabilities at these points (B,).
        first: Logits at share 0, on one side of those of the targets, shape (N,).
        last: Logits at share 1, on the other side, shape (N,).
        targets: Probabilities in (0, 1), shape (N,).
        may_go_on: Takes the number of paths that the next step evaluates; where it returns False,
            the search ends with what it has. None for no such limit.

    Returns:
        The share of each crossing, float64 (N,), and whether it is within the tolerance (N,).
    """
    aims = torch.logit(targets.double())
    ends = (first.double() - aims).numpy(), (last.double() - aims).numpy()

    def excess(shares: np.ndarray, rows: np.ndarray) -> np.ndarray:
        rows = np.broadcast_to(rows, shares.shape).astype(np.int64)
        values = np.where(shares <= 0, ends[0][rows], ends[1][rows])
        inside = (shares > 0) & (shares < 1)
        if inside.any():
            paths = torch.from_numpy(rows[inside])
            logits = logits_at(torch.from_numpy(shares[inside]), paths)
            values[inside] = (logits.double() - aims[paths]).numpy()
        return values  # type: ignore[no-any-return]

    def stop_at_limit(state: Any) -> None:
        in_progress = int((state.status == 1).sum())
        if may_go_on is not None and not may_go_on(in_progress):
            raise StopIteration

    result = find_root(
        excess,
        (np.zeros(len(targets)), np.ones(len(targets))),
        args=(np.arange(len(targets), dtype=np.float64),),
        tolerances={"fatol": _LOGITS_PER_PROBABILITY * tolerance},
        maxiter=_MOST_STEPS,
        callback=None if may_go_on is None else stop_at_limit,
    )
    converged = np.abs(result.f_x) <= _LOGITS_PER_PROBABILITY * tolerance
    return torch.from_numpy(result.x), torch.from_numpy(converged)


def nearest_point(
    excess: Callable[[Tensor, Tensor], Tensor], start: Tensor, steps: int, at_once: int
) -> Tensor:
    """The shortest change (K, Z) with an excess (K,) of at least 0; else the last one tried.

    The steps of DDN (Rony et al. 2019): along the gradient of the excess, on a sphere that shrinks
    where it is at least 0 and grows where it is not. The result is a local optimum.

    Args:
        excess: Takes changes (B, Z) and their rows among the K, returns the excess (B,).
        start: The first changes, (K, Z), K at least 1.
        steps: The steps of the search.
        at_once: The number of changes to search at once: gradients need memory.
    """
    found: list[Tensor] = []
    for rows in torch.arange(len(start), device=start.device).split(at_once):
        # The first batch says how long all of them take.
        announced = 0 if found else len(start)
        found.append(_nearest_of_batch(excess, rows, start[rows], steps, announced))
    return torch.cat(found)


def _nearest_of_batch(
    excess: Callable[[Tensor, Tensor], Tensor],
    rows: Tensor,
    start: Tensor,
    steps: int,
    announced: int,
) -> Tensor:
    change, best_change = start.clone(), start.clone()
    best = torch.full((len(start), 1), math.inf, device=start.device)
    radius = torch.ones(len(start), 1, device=start.device)
    started = 0.0
    for step in range(steps):
        point = change.detach().requires_grad_(True)
        with torch.enable_grad():
            value = excess(point, rows)
            (gradient,) = torch.autograd.grad(value.sum(), point)
        length = change.norm(dim=1, keepdim=True)
        reached = value.detach()[:, None] >= 0
        better = reached & (length < best)
        best = torch.where(better, length, best)
        best_change = torch.where(better, change, best_change)
        rate = _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * step / steps)) / 2
        change = change + rate * F.normalize(gradient, dim=1)
        radius = radius * torch.where(reached, 1 - _SHRINKING, 1 + _SHRINKING)
        change = radius * F.normalize(change, dim=1)
        if step == 0:
            # The first step takes longer than the others.
            started = time.perf_counter()
        elif step == _TIMED:
            wait = steps * (time.perf_counter() - started) / step * announced / len(start)
            log_long_wait(logger, f"The search for {announced} changes", wait)
    return torch.where(best.isfinite(), best_change, change)


def is_distinct(images: Tensor) -> Tensor:
    """Whether an image differs from all before it by more than a grey level (root mean square).

    Images are of shape (N, C, H, W) in [-1, 1]; the answer is a boolean tensor (N,).
    """
    flat = images.flatten(1)
    least = _GREY_LEVEL * flat.shape[1] ** 0.5
    distinct = torch.ones(len(flat), dtype=torch.bool)
    for start in range(0, len(flat), _ROWS_AT_A_TIME):
        rows = flat[start : start + _ROWS_AT_A_TIME]
        distances = torch.cdist(rows, flat[: start + len(rows)])
        near = (distances <= least).tril(diagonal=start - 1)
        distinct[start : start + len(rows)] = ~near.any(dim=1)
    return distinct

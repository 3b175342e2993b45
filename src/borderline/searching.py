"""Steps of a search for the boundary: pairs, arcs, crossings, nearest points and repetitions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize.elementwise import find_root
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn import functional as F

from borderline.boundary import Pairs

_MOST_STEPS = 30
# Of the search for the nearest point.
_STEPS = 200
_LAST_RATE = 0.01
_SHRINKING = 0.05
# The slope of the sigmoid is at most a quarter, so a logit that is four times as near will do.
_LOGITS_PER_PROBABILITY = 4.0
_MOST_REFINEMENTS = 12
_AHEAD = 0.01
# A first step that is a little too long ends on the other side.
_BEYOND = 1.3
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

    result = find_root(
        excess,
        (np.zeros(len(targets)), np.ones(len(targets))),
        args=(np.arange(len(targets), dtype=np.float64),),
        tolerances={"fatol": _LOGITS_PER_PROBABILITY * tolerance},
        maxiter=_MOST_STEPS,
    )
    converged = np.abs(result.f_x) <= _LOGITS_PER_PROBABILITY * tolerance
    return torch.from_numpy(result.x), torch.from_numpy(converged)


def refine_crossings(
    logits_at: Callable[[Tensor, Tensor], Tensor],
    coarse_at: Callable[[Tensor, Tensor], Tensor],
    shares: Tensor,
    rises: Tensor,
    targets: Tensor,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Find crossings near those of a coarse version of ``logits_at``, with few evaluations.

    Steps lead from the coarse crossing to the other side of the target: the first by the slope of
    the coarse version, each further one twice as long. From there on it is the method of Anderson
    and Bjorck (1973), whose secants need fewer evaluations in a narrow bracket than the bisections
    of :func:`find_crossings`.

    Args:
        logits_at: As for :func:`find_crossings`.
        coarse_at: The same of the coarse version.
        shares: The coarse crossings, float64 (N,).
        rises: Logits of the coarse version at share 1 minus those at share 0, above 0, (N,).
        targets: As for :func:`find_crossings`.

    Returns:
        As :func:`find_crossings`.
    """
    aims, all_rows = torch.logit(targets.double()), torch.arange(len(shares))
    ahead = (coarse_at(shares + _AHEAD, all_rows).double() - aims) / _AHEAD
    # The slope there is steeper than that of the whole path, unless the path is odd.
    slopes = torch.maximum(ahead, rises.double())
    excess = logits_at(shares, all_rows).double() - aims
    # The latest point and the one on the other side, or the one before while there is none.
    x, f, x_other, f_other = shares.clone(), excess, shares.clone(), excess.clone()
    steps, within = -_BEYOND * excess / slopes, _LOGITS_PER_PROBABILITY * tolerance
    for _ in range(_MOST_REFINEMENTS):
        rows = (f.abs() > within).nonzero()[:, 0]
        if len(rows) == 0:
            break
        x_0, f_0, x_1, f_1 = x_other[rows], f_other[rows], x[rows], f[rows]
        is_bracket = f_0 * f_1 < 0
        secant = x_1 - f_1 * (x_1 - x_0) / torch.where(is_bracket, f_1 - f_0, 1.0)
        x[rows] = torch.where(is_bracket, secant, (x_1 + steps[rows]).clamp(0, 1))
        f[rows] = logits_at(x[rows], rows).double() - aims[rows]
        steps = 2 * steps
        stays = is_bracket & (f[rows] * f_1 > 0)
        # A smaller value at the end that stays draws the next secant towards it.
        weight = 1 - f[rows] / f_1
        weight = torch.where(weight > 0, weight, 0.5)
        x_other[rows] = torch.where(stays, x_0, x_1)
        f_other[rows] = torch.where(stays, weight * f_0, f_1)
    return x, f.abs() <= within


def nearest_point(excess: Callable[[Tensor], Tensor], start: Tensor, steps: int = _STEPS) -> Tensor:
    """The shortest change (K, Z) with an excess (K,) of at least 0; else the last one tried.

    The steps of DDN (Rony et al. 2019): along the gradient of the excess, on a sphere that shrinks
    where it is at least 0 and grows where it is not. The result is a local optimum.
    """
    change, best_change = start.clone(), start.clone()
    best = torch.full((len(start), 1), math.inf, device=start.device)
    radius = torch.ones(len(start), 1, device=start.device)
    for step in range(steps):
        point = change.detach().requires_grad_(True)
        with torch.enable_grad():
            value = excess(point)
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

"""Crossings of the decision boundary by paths between two images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize.elementwise import find_root
from torch import Tensor

_MOST_STEPS = 30
# The slope of the sigmoid is at most a quarter, so a logit that is four times as near will do.
_LOGITS_PER_PROBABILITY = 4.0


def find_crossings(
    logits_at: Callable[[Tensor, Tensor], Tensor],
    first: Tensor,
    last: Tensor,
    targets: Tensor,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Find a point on each path where the model's probability is the target.

    Chandrupatla's method (1997) mixes bisection with inverse quadratic interpolation. It works on
    the logit, which is not flat where the probability is. Only paths that are not yet within the
    tolerance are evaluated again.

    Args:
        logits_at: Takes shares of paths (B,) in (0, 1) and the rows of those paths (B,), returns
            the model's logits at these points (B,).
        first: Logits at share 0, below those of the targets, shape (N,).
        last: Logits at share 1, above those of the targets, shape (N,).
        targets: Probabilities to find, in (0, 1), shape (N,).
        tolerance: The largest distance of a probability to its target.

    Returns:
        The share of each crossing along its path, float64 (N,), and whether it is within the
        tolerance, boolean (N,).
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

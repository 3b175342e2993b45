"""Between realism and confusion: the Pareto front of Fréchet distance and ACD, and its knee."""

from __future__ import annotations

import numpy as np


def pareto_front(fd: np.ndarray, acd: np.ndarray) -> np.ndarray:
    """Which points no other point beats.

    One point beats another when it is better in a figure and not worse in the other.

    Args:
        fd: Fréchet distances, lower is better, shape (n,).
        acd: Average confusion distances, lower is better, shape (n,).

    Returns:
        Boolean array of shape (n,); False where a figure is NaN.
    """
    points = np.column_stack([fd, acd])
    not_worse = (points[:, None] <= points).all(axis=2)
    better = (points[:, None] < points).any(axis=2)
    beaten = (not_worse & better).any(axis=0)
    on_front: np.ndarray = ~beaten & ~np.isnan(points).any(axis=1)
    return on_front


def knee(fd: np.ndarray, acd: np.ndarray) -> int | None:
    """The point of the front that gives up least of both figures.

    With both figures scaled to [0, 1] over the front, it is the point farthest below the line
    between the front's ends (Das 1999). A front of two points, or one that nowhere bulges below
    that line, has no such point: then it is the end of the lower ACD.

    Args:
        fd: Fréchet distances, shape (n,).
        acd: Average confusion distances, shape (n,).

    Returns:
        The index of the point; None where the front is empty.
    """
    front = np.flatnonzero(pareto_front(fd, acd))
    if len(front) == 0:
        return None
    front = front[np.argsort(acd[front], kind="stable")]
    bulge = 1 - _scaled(fd[front]) - _scaled(acd[front])
    # Rounding must not decide between the ends, whose bulge is 0.
    return int(front[np.argmax(np.round(bulge, 12))])


def _scaled(values: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (values - values.min()) / (np.ptp(values) or 1.0)
    return scaled

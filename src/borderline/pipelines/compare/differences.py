"""How far the figures of two models are apart, with intervals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from borderline.findings import FIGURES, Findings, Measured, number_of
from borderline.measures.intervals import Estimate

COLUMNS = (
    *("figure", "this", "this_low", "this_high", "other", "other_low", "other_high"),
    *("difference", "low", "high", "differ"),
)


def difference(this: Measured, other: Measured) -> Measured:
    """This figure less the other one, with the interval of Zou and Donner (2008).

    Their MOVER takes the two intervals as those of independent figures. For figures of the same
    images, as the accuracies are, it is too wide, never too narrow, where both go the same way.

    Args:
        this: A figure with its 95 % interval.
        other: The same figure of another model.

    Returns:
        The difference; without an interval where one of them has none.
    """
    ends = (this.value, this.low, this.high), (other.value, other.low, other.high)
    (value, low, high), (value_2, low_2, high_2) = (
        [math.nan if end is None else end for end in own] for own in ends
    )
    apart = value - value_2
    return Measured.of(
        Estimate(
            apart,
            apart - math.hypot(value - low, high_2 - value_2),
            apart + math.hypot(high - value, value_2 - low_2),
        )
    )


def compare_figures(this: Findings, other: Findings, *, same_judge: bool) -> pd.DataFrame:
    """Every figure of both.

    Args:
        this: The findings about one model.
        other: Those about another.
        same_judge: Whether one judge saw the images of both; else their Fréchet distances are not
            compared, nor are those of different N.

    Returns:
        A row a figure by ``COLUMNS``: both with their intervals, their ``difference`` with its own,
        and whether they ``differ``, for that leaves 0 out; empty where there is no interval.
    """
    rows = []
    for name in FIGURES:
        ours, theirs = this.figures[name], other.figures[name]
        comparable = name != "fd_lenet" or (same_judge and ours.n == theirs.n)
        apart = difference(ours, theirs) if comparable else Measured()
        known = apart.low is not None and apart.high is not None
        differ = (apart.low > 0 or apart.high < 0) if known else None  # type: ignore[operator]
        both = (end for figure in (ours, theirs) for end in (figure.value, figure.low, figure.high))
        rows.append((name, *both, apart.value, apart.low, apart.high, differ))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def only_one_wrong(
    this_wrong: np.ndarray, other_wrong: np.ndarray
) -> tuple[int, int, float | None]:
    """The images that one of two models alone gets wrong, and whether that can be chance.

    Args:
        this_wrong: Whether this model is wrong, shape (N,).
        other_wrong: Whether the other is, on the same images.

    Returns:
        How many only this one gets wrong, how many only the other; and the two-sided p-value of
        McNemar's exact test (1947), None where they agree on all.
    """
    ours, theirs = int((this_wrong & ~other_wrong).sum()), int((~this_wrong & other_wrong).sum())
    if ours + theirs == 0:
        return 0, 0, None
    return ours, theirs, number_of(float(binomtest(ours, ours + theirs).pvalue))

"""Compares named values of two groups of images: effect sizes and permutation tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

FEWEST = 5
"""Fewer images of a group are too few for a comparison."""

_AT_ONCE = 250
# Rounding must not separate equal differences.
_TINY = 1e-9


def compare(
    first: pd.DataFrame, second: pd.DataFrame, permutations: int, seed: int
) -> pd.DataFrame:
    """Compare each column of two groups, with n and m rows; NaN counts as not there.

    Returns:
        One row a column, by its name: ``mean`` of the first group and ``other_mean``; ``effect``,
        Cohen's d (1988), the difference of the means divided by the pooled standard deviation,
        infinite where neither group varies; ``p_value`` of the two-sided permutation test that
        both groups have one distribution. Effect and p-value are NaN where a group has fewer than
        ``FEWEST`` values, or where all values are equal.
    """
    one, other = (group.to_numpy(dtype=float) for group in (first, second))
    counts, others = ((~np.isnan(values)).sum(0) for values in (one, other))
    table = pd.DataFrame({"mean": first.mean(), "other_mean": second.mean()})
    pooled = (counts - 1) * first.var() + (others - 1) * second.var()
    deviation = np.sqrt(pooled / (counts + others - 2))
    difference = table["mean"] - table["other_mean"]
    enough = (np.minimum(counts, others) >= FEWEST) & ~((deviation == 0) & (difference == 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        table["effect"] = (difference / deviation).where(enough)
    table["p_value"] = np.nan
    if enough.any():
        tested = enough.to_numpy()
        p = _permutation_p(one[:, tested], other[:, tested], permutations, seed)
        table.loc[tested, "p_value"] = p
    return table


def _permutation_p(
    first: np.ndarray, second: np.ndarray, permutations: int, seed: int
) -> np.ndarray:
    """The p-values of the differences of the means of (n, d) and (m, d) values, shape (d,).

    As by ``scipy.stats.permutation_test``, but for all columns at once, with NaN left out.
    """
    values = np.concatenate([first, second])
    there = (~np.isnan(values)).astype(float)
    values = values - np.nanmean(values, axis=0)
    values = np.nan_to_num(values / np.nanstd(values, axis=0))

    def difference(chosen: np.ndarray) -> np.ndarray:
        """Of groups (B, n + m) of zeros and ones and the rest, shape (B, d)."""
        inside, counts = chosen @ values, chosen @ there
        with np.errstate(divide="ignore", invalid="ignore"):
            outside = (values.sum(0) - inside) / (there.sum(0) - counts)
            return np.asarray(np.abs(inside / counts - outside))

    size, total = len(first), len(values)
    observed = difference((np.arange(total) < size).astype(float)[None])
    random, hits = np.random.default_rng(seed), np.zeros(values.shape[1])
    for start in range(0, permutations, _AT_ONCE):
        chosen = np.zeros((min(_AT_ONCE, permutations - start), total))
        rows = random.random(chosen.shape).argpartition(size - 1, axis=1)[:, :size]
        np.put_along_axis(chosen, rows, 1.0, axis=1)
        hits += (difference(chosen) >= observed - _TINY).sum(0)
    return np.asarray((1 + hits) / (1 + permutations))

"""Estimates with 95 % intervals, by the bootstrap (Efron 1979) or the jackknife.

Images of one group, such as those of a patient, are not independent. Intervals by group resample
whole groups (Davison and Hinkley 1997, section 3.8), or use the cluster-robust variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from scipy.stats import binomtest, t
from torch import Tensor

_LEVELS = torch.tensor([0.025, 0.975], dtype=torch.float64)
_NORMAL = 1.959964
_GROUPS = 20
# A resample omits d = n / e of the n images. A statistic that ignores repetitions varies as under
# the deletion of d images; sqrt((n - d) / d) corrects the spread (Shao and Wu 1989).
_DISTINCT = math.sqrt(math.e - 1)


class Estimate(NamedTuple):
    """A statistic and the ends of its 95 % interval; NaN where they are undefined."""

    value: float
    low: float
    high: float

    @classmethod
    def none(cls) -> Self:
        """An undefined statistic."""
        return cls(math.nan, math.nan, math.nan)

    def within(self, least: float, most: float) -> Self:
        """The same estimate with the interval cut to the range of the statistic."""
        return type(self)(
            self.value, *(min(max(end, least), most) for end in (self.low, self.high))
        )


def resample(images: int, resamples: int, seed: int) -> Tensor:
    """The count of each image in each resample with replacement, float64 (resamples, images).

    Example:
        >>> resample(images=4, resamples=2, seed=0).sum(1)
        tensor([4., 4.], dtype=torch.float64)
    """
    random = np.random.default_rng(seed)
    counts = random.multinomial(images, np.full(images, 1 / images), size=resamples)
    return torch.from_numpy(counts).double()


def estimate(value: float, replicates: Tensor) -> Estimate:
    """A statistic with the spread of its replicates (B,) in resamples around their mean.

    A resample repeats images, which biases measures of a distribution; centring removes the bias.
    """
    low, high = torch.quantile(replicates - replicates.mean(), _LEVELS).tolist()
    return Estimate(value, value + low, value + high)


def estimate_by_groups(value: float, without: Callable[[Tensor], float], images: int) -> Estimate:
    """A statistic with Student's interval of the delete-a-group jackknife (Kott 2001).

    It suits statistics of a covariance: a bootstrap resample has a third fewer distinct images,
    which distorts a covariance where images hardly outnumber dimensions.

    Args:
        without: Rows (N',) of the remaining images to their statistic.
    """
    replicates = [without(rows) for rows in deletions(torch.arange(images))]
    return estimate_of_deletions(value, torch.tensor(replicates, dtype=torch.float64))


def deletions(member: Tensor) -> Iterator[Tensor]:
    """The rows that remain when a part of the images is left out, for each of at most 20 parts.

    ``member`` (N,) numbers the group of each image from 0 on; a part holds whole groups.
    """
    parts = min(_GROUPS, int(member.max()) + 1)
    # One after the other: of millions of images, all together take hundreds of megabytes.
    return ((member % parts != left_out).nonzero()[:, 0] for left_out in range(parts))


def estimate_of_deletions(value: float, replicates: Tensor) -> Estimate:
    """A statistic with the jackknife's interval, from its replicates (B,) without each part."""
    groups = len(replicates)
    error = math.sqrt((groups - 1) * float(((replicates - replicates.mean()) ** 2).mean()))
    half = float(t.ppf(0.975, groups - 1)) * error
    return Estimate(value, value - half, value + half)


def estimate_of_mean(values: Tensor, weights: Tensor) -> Estimate:
    """The mean of values (N,) in resamples with weights (B, N)."""
    values = values.double()
    return estimate(values.mean().item(), weights.double() @ values / len(values))


def estimate_of_distinct(value: float, replicates: Tensor, images: int) -> Estimate:
    """As ``estimate``, for a share that ignores repetitions: resamples spread it too little."""
    replicates = replicates.double()
    spread = estimate(value, replicates.mean() + _DISTINCT * (replicates - replicates.mean()))
    if spread.low == spread.high and value in (0, 1):
        # No resample varies this share, but it is still uncertain.
        return estimate_of_share(round(value * images), images)
    return spread


def estimate_of_share(hits: int, images: int) -> Estimate:
    """A share with Wilson's interval (1927), which also holds at 0 and 1; NaN for no images.

    Example:
        >>> [round(end, 3) for end in estimate_of_share(5, 100)]
        [0.05, 0.022, 0.112]
    """
    if images == 0:
        return Estimate.none()
    interval = binomtest(hits, images).proportion_ci(method="wilson")
    return Estimate(hits / images, float(interval.low), float(interval.high))


def estimate_of_grouped_share(hits: Tensor, groups: Tensor | None) -> Estimate:
    """A share with an interval for images in groups.

    It is Wilson's interval for an effective number of images (Korn and Graubard 1998): as many
    independent images would have the same variance, but at most all images. The variance is the
    cluster-robust one of a mean (Liang and Zeger 1986), and Student's quantile replaces the normal
    one for few groups. If all images or none are hits, each group counts as one image.

    Args:
        hits: Whether each image counts, bool (N,).
        groups: The group of each image, int64 (N,); None for none.

    Returns:
        The same as ``estimate_of_share`` where no two images share a group. Without ends where all
        images are in one group, because the variance between groups is unknown.

    Example:
        >>> hits = torch.tensor([True] * 6 + [False] * 2)
        >>> [round(end, 2) for end in estimate_of_grouped_share(hits, torch.arange(8))]
        [0.75, 0.41, 0.93]
        >>> [round(end, 2) for end in estimate_of_grouped_share(hits, torch.arange(8) // 2)]
        [0.75, 0.13, 0.98]
    """
    images, member = len(hits), members(groups)
    if member is None:
        return estimate_of_share(int(hits.sum()), images)
    count, share = int(member.max()) + 1, float(hits.double().mean())
    if count < 2:
        return Estimate(share, math.nan, math.nan)
    residuals = np.bincount(member, hits.numpy() - share)
    variance = count / (count - 1) * float((residuals**2).sum()) / images**2
    size = float(images)
    if share in (0, 1):
        size = count
    elif variance > 0:
        size = min(size, share * (1 - share) / variance)
    correction = (_NORMAL / float(t.ppf(0.975, count - 1))) ** 2
    return estimate_of_effective_share(share, size * correction)


def score_test_by_group(hits: np.ndarray, inside: np.ndarray, member: np.ndarray) -> float:
    """The p-value, for images in groups, that hits are no more frequent inside than outside.

    The one-sided score test of a difference of two shares with its cluster-robust variance under
    the null hypothesis (Boos 1992), by Student's distribution. Unlike Wald's test it holds where
    all images inside are hits.

    Args:
        hits: Whether each image is a hit, bool (N,).
        inside: Whether it is inside, bool (N,).
        member: Its group, as ``members`` numbers them, int64 (N,).

    Returns:
        NaN where all images are in one group; 1 where all images are inside, none is, or none or
        all are hits.
    """
    count = int(member.max()) + 1
    if count < 2:
        return math.nan
    if inside.all() or not inside.any():
        return 1.0
    weights = np.where(inside, 1 / inside.sum(), -1 / (~inside).sum())
    scores = np.bincount(member, weights * (hits - hits.mean()))
    error = math.sqrt(count / (count - 1) * float((scores**2).sum()))
    return float(t.sf(scores.sum() / error, count - 1)) if error > 0 else 1.0


def draws_by_group(groups: Tensor | None, images: int, draws: int, seed: int) -> list[np.ndarray]:
    """The rows of each bootstrap resample; whole groups are drawn where images have groups.

    Args:
        groups: The group of each image, int64 (N,); None for none.
        images: The number of images N.
        draws: The number of resamples.
        seed: The seed of the resamples.

    Returns:
        The rows by resample. Resamples of groups have different numbers of rows; there are none
        where all images are in one group.
    """
    random, member = np.random.default_rng(seed), members(groups)
    if member is None:
        return [random.integers(images, size=images) for _ in range(draws)]
    count = int(member.max()) + 1
    rows = np.split(np.argsort(member, kind="stable"), np.cumsum(np.bincount(member))[:-1])
    if count < 2:
        return []
    drawn = random.integers(count, size=(draws, count))
    return [np.concatenate([rows[group] for group in some]) for some in drawn]


def members(groups: Tensor | None) -> np.ndarray | None:
    """The groups numbered from 0 on, int64 (N,); None where no two images share one."""
    if groups is None:
        return None
    names, member = np.unique(groups.numpy(), return_inverse=True)
    return None if len(names) == len(member) else member


def estimate_of_effective_share(share: float, size: float) -> Estimate:
    """A share with Wilson's interval for an effective size, which need not be a whole number.

    Observations that resemble one another count less than independent ones (Kish 1965), so their
    effective size is below their number. NaN for a size of 0.

    Example:
        >>> [round(end, 3) for end in estimate_of_effective_share(0.05, 100)]
        [0.05, 0.022, 0.112]
    """
    if size <= 0:
        return Estimate.none()
    weight = _NORMAL**2 / size
    centre = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight**2 / 4) / (1 + weight)
    # Rounding must not leave the share outside of its interval, nor the interval outside of [0, 1].
    return Estimate(share, min(centre - half, share), max(centre + half, share)).within(0, 1)


def estimate_of_sums(images: int, total: float, squares: float) -> Estimate:
    """A mean with the normal interval, from the sum of values and the sum of their squares."""
    if images < 2:
        return Estimate(total / images, math.nan, math.nan) if images else Estimate.none()
    mean = total / images
    variance = max(squares / images - mean * mean, 0.0) * images / (images - 1)
    half = _NORMAL * math.sqrt(variance / images)
    return Estimate(mean, mean - half, mean + half)


def estimate_of_grouped_mean(values: Tensor, groups: Tensor | None = None) -> Estimate:
    """A mean with the interval of the delete-a-group jackknife (Kott 2001), by Student's quantile.

    It holds for few images too: for at most 20 without groups it is Student's interval.

    Args:
        values: Float (N,).
        groups: The group of each image, int64 (N,); None for none.

    Returns:
        NaN for no images; without ends where all images are in one group, or there is only one.

    Example:
        >>> [round(end, 2) for end in estimate_of_grouped_mean(torch.tensor([1.0, 2.0, 3.0]))]
        [2.0, -0.48, 4.48]
    """
    if len(values) == 0:
        return Estimate.none()
    values, member = values.double(), members(groups)
    of_group = torch.arange(len(values)) if member is None else torch.from_numpy(member)
    without = torch.stack([values[rows].mean() for rows in deletions(of_group)])
    return estimate_of_deletions(values.mean().item(), without)


def estimate_of_repeats(values: Sequence[float]) -> Estimate:
    """The mean of a statistic over a few runs, with Student's interval; NaN for no runs."""
    known = np.array([value for value in values if not math.isnan(value)])
    if len(known) < 2:
        return Estimate(float(known[0]), math.nan, math.nan) if len(known) else Estimate.none()
    half = float(t.ppf(0.975, len(known) - 1)) * float(known.std(ddof=1)) / math.sqrt(len(known))
    return Estimate(float(known.mean()), float(known.mean()) - half, float(known.mean()) + half)

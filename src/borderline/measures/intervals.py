"""Figures with 95 % intervals, by the bootstrap (Efron 1979) or the jackknife."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from scipy.stats import binomtest, t
from torch import Tensor

_LEVELS = torch.tensor([0.025, 0.975], dtype=torch.float64)
_NORMAL = 1.959964
_GROUPS = 20
# A resample leaves 1/e of the images out. Deviations of a statistic that cannot see repetitions are
# those of deleting d of n images, and stand for its own once multiplied with sqrt((n - d) / d)
# (Shao and Wu 1989).
_DISTINCT = math.sqrt(math.e - 1)


class Estimate(NamedTuple):
    """A figure and its 95 % interval.

    Attributes:
        value: The figure; NaN where it cannot be had.
        low: Lower end; NaN likewise.
        high: Upper end; NaN likewise.
    """

    value: float
    low: float
    high: float

    @classmethod
    def none(cls) -> Self:
        """No figure."""
        return cls(math.nan, math.nan, math.nan)

    def within(self, least: float, most: float) -> Self:
        """The same with an interval that keeps to the range of the figure."""
        return type(self)(
            self.value, *(min(max(end, least), most) for end in (self.low, self.high))
        )


def resample(images: int, resamples: int, seed: int) -> Tensor:
    """How often each image is in each of the resamples with replacement.

    Args:
        images: N, at least 1.
        resamples: B.
        seed: Seed of the draw.

    Returns:
        Counts, shape (B, N), float64; each row adds up to N.
    """
    random = np.random.default_rng(seed)
    counts = random.multinomial(images, np.full(images, 1 / images), size=resamples)
    return torch.from_numpy(counts).double()


def estimate(value: float, replicates: Tensor) -> Estimate:
    """A figure with the spread of its replicates around their own mean.

    Measures of a distribution are biased in a resample, which repeats images; centring takes that
    out.

    Args:
        value: The figure of all images.
        replicates: The figure in each resample, shape (B,).
    """
    low, high = torch.quantile(replicates - replicates.mean(), _LEVELS).tolist()
    return Estimate(value, value + low, value + high)


def estimate_by_groups(value: float, without: Callable[[Tensor], float], images: int) -> Estimate:
    """A figure with the spread that leaving out one group of images after the other gives.

    The delete-a-group jackknife (Kott 2001), with Student's interval. For figures of a covariance:
    a resample of the bootstrap has a third less distinct images, which distorts it badly where
    there are not many more images than dimensions.

    Args:
        value: The figure of all images.
        without: The figure of the images in rows (N',).
        images: N, at least 2.
    """
    groups = min(_GROUPS, images)
    group = torch.arange(images) % groups
    figures = torch.tensor(
        [without((group != left_out).nonzero()[:, 0]) for left_out in range(groups)],
        dtype=torch.float64,
    )
    error = math.sqrt((groups - 1) * float(((figures - figures.mean()) ** 2).mean()))
    half = float(t.ppf(0.975, groups - 1)) * error
    return Estimate(value, value - half, value + half)


def estimate_of_mean(values: Tensor, weights: Tensor) -> Estimate:
    """The mean of values (N,) in resamples with weights (B, N)."""
    values = values.double()
    return estimate(values.mean().item(), weights.double() @ values / len(values))


def estimate_of_distinct(value: float, replicates: Tensor, images: int) -> Estimate:
    """As ``estimate``, for a share that does not change where an image is repeated.

    Such a figure sees a resample as a smaller set, so that its deviations are too small.

    Args:
        value: The share, found with all images.
        replicates: The share found with each resample, shape (B,).
        images: How many images there are.
    """
    replicates = replicates.double()
    found = estimate(value, replicates.mean() + _DISTINCT * (replicates - replicates.mean()))
    if found.low == found.high and value in (0, 1):
        # Nothing that resamples could vary, which does not make a share certain.
        return estimate_of_share(round(value * images), images)
    return found


def estimate_of_share(hits: int, images: int) -> Estimate:
    """A share with Wilson's interval (1927), which is right at 0 and 1 too; NaN of no images."""
    if images == 0:
        return Estimate.none()
    interval = binomtest(hits, images).proportion_ci(method="wilson")
    return Estimate(hits / images, float(interval.low), float(interval.high))


def estimate_of_sums(images: int, total: float, squares: float) -> Estimate:
    """A mean with the normal interval, from the sums of values and of their squares."""
    if images < 2:
        return Estimate(total / images, math.nan, math.nan) if images else Estimate.none()
    mean = total / images
    variance = max(squares / images - mean * mean, 0.0) * images / (images - 1)
    half = _NORMAL * math.sqrt(variance / images)
    return Estimate(mean, mean - half, mean + half)


def estimate_of_repeats(values: Sequence[float]) -> Estimate:
    """The mean of the same figure over a few runs with Student's interval; NaN of none."""
    known = np.array([value for value in values if not math.isnan(value)])
    if len(known) < 2:
        return Estimate(float(known[0]), math.nan, math.nan) if len(known) else Estimate.none()
    half = float(t.ppf(0.975, len(known) - 1)) * float(known.std(ddof=1)) / math.sqrt(len(known))
    return Estimate(float(known.mean()), float(known.mean()) - half, float(known.mean()) + half)

"""Confusion of the model under test on a set of images.

``p`` is the model's probability of the positive class: a float tensor of shape (N,) with values in
[0, 1]. ``band`` is half the width of the borderline band around 0.5, in (0, 0.5].
"""

from __future__ import annotations

import math
import operator
from typing import NamedTuple, Self

import torch
from torch import Tensor

from borderline.measures.intervals import Estimate, estimate_of_share, estimate_of_sums

_BLOCK = 2**16


def confusion_distance(p: Tensor) -> Tensor:
    """Distance of each image to the boundary, ``cd(x) = |C(x) - 0.5|`` (Cunha et al. 2023).

    Example:
        >>> confusion_distance(torch.tensor([0.25, 0.5, 1.0]))
        tensor([0.2500, 0.0000, 0.5000])
    """
    return (p - 0.5).abs()


def average_confusion_distance(p: Tensor) -> float:
    """ACD, the mean confusion distance in [0, 0.5] (Cunha et al. 2023); NaN for no images."""
    return confusion_distance(p.double()).mean().item()


def is_borderline(p: Tensor, band: float) -> Tensor:
    """Which images are borderline: ``cd(x) < band`` (0.1 in Gomes et al. 2024).

    Example:
        >>> is_borderline(torch.tensor([0.3, 0.45, 0.5]), band=0.1)
        tensor([False,  True,  True])
    """
    return confusion_distance(p) < band


def borderline_yield(p: Tensor, band: float) -> float:
    """The share of borderline images; NaN for no images."""
    return is_borderline(p, band).double().mean().item()


def at_temperature(p: Tensor, temperature: float) -> Tensor:
    """Calibrated probabilities: ``sigmoid(logit(p) / T)``, T positive (Guo et al. 2017)."""
    return torch.sigmoid(torch.logit(p.double()) / temperature)


class Confusion(NamedTuple):
    """Sums over images that determine their measures of confusion; sums of parts add up.

    Attributes:
        above: The number of images with p above 0.5.
        distance: Sum of the confusion distances.
        divergence: Sum of KL(Bern(p) || Bern(0.5)), in nats.
        histogram: Images in equally wide bins of [0, 1], int64 (bins,).
    """

    images: int
    borderline: int
    above: int
    distance: float
    distance_squares: float
    divergence: float
    divergence_squares: float
    histogram: Tensor

    @classmethod
    def of(cls, p: Tensor, band: float, bins: int) -> Self:
        """The sums over a set, which may be empty."""
        distance, divergence = confusion_distance(p.double()), _divergence(p.double())
        return cls(
            len(p),
            int(is_borderline(p, band).sum()),
            int((p > 0.5).sum()),
            distance.sum().item(),
            (distance**2).sum().item(),
            divergence.sum().item(),
            (divergence**2).sum().item(),
            torch.histc(p.double(), bins=bins, min=0.0, max=1.0).long(),
        )

    def __add__(self, other: Self) -> Self:  # type: ignore[override]
        """The sums over both sets together."""
        return type(self)._make(map(operator.add, self, other))

    def estimates(self) -> dict[str, Estimate]:
        """``yield``, ``acd``, ``hubris`` and ``above_half``, each with a 95 % interval.

        Shares have Wilson's interval, means the normal interval; all are NaN for no images.

        Hubris (AmbiGANs) is the model's confidence: ``1 - exp(-A / R)``, where A is the mean of
        KL(Bern(p) || Bern(0.5)), and R that mean for N values of p spread evenly over [0, 1]. It is
        0 on the boundary, 0.63 for evenly spread p, about 0.97 far from the boundary, and NaN for
        fewer than 2 images.
        """
        n = self.images
        divergence = estimate_of_sums(n, self.divergence, self.divergence_squares)
        return {
            "yield": estimate_of_share(self.borderline, n),
            "acd": estimate_of_sums(n, self.distance, self.distance_squares).within(0, 0.5),
            "hubris": Estimate(*(_hubris_of(end, n) for end in divergence)).within(0, 1),
            "above_half": estimate_of_share(self.above, n),
        }


def _divergence(p: Tensor) -> Tensor:
    divergence: Tensor = math.log(2) - torch.special.entr(p) - torch.special.entr(1 - p)
    return divergence


def _hubris_of(mean_divergence: float, images: int) -> float:
    if images < 2:
        return math.nan
    even = sum(
        _divergence(torch.arange(start, min(start + _BLOCK, images)).double() / (images - 1)).sum()
        for start in range(0, images, _BLOCK)
    )
    return 1 - math.exp(-mean_divergence / (float(even) / images))

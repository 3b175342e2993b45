"""Confusion of the model under test on a set of images.

``p`` is the model's probability of the positive class: a float tensor of shape (N,) with values in
[0, 1]. The boundary is where p is the decision threshold t (docs/threshold.md).
"""

from __future__ import annotations

import math
import operator
from typing import NamedTuple, Self

import torch
from torch import Tensor

from borderline.boundary import NEAREST, Boundary, largest_distance, logit
from borderline.measures.intervals import Estimate, estimate_of_share, estimate_of_sums

_BLOCK = 2**16


def is_positive(p: Tensor, boundary: Boundary) -> Tensor:
    """Which images the model assigns to the positive class: ``p > t``."""
    # Float32 would round the threshold, near 1 to the p of an image.
    return p.double() > boundary["threshold"]


def confusion_distance(p: Tensor, boundary: Boundary) -> Tensor:
    """Distance of each image to the boundary, ``cd(x) = |C(x) - t|`` (Cunha et al. 2023: t = 0.5).

    On the logit scale ``|logit C(x) - logit t|``, where p is at least 6e-8 away from 0 and 1.

    Example:
        >>> boundary = {"threshold": 0.5, "band": 0.1, "scale": "probability", "rule": ""}
        >>> confusion_distance(torch.tensor([0.25, 0.5, 1.0]), boundary)
        tensor([0.2500, 0.0000, 0.5000])
    """
    if boundary["scale"] == "probability":
        return (p - boundary["threshold"]).abs()
    return (to_logits(p) - logit(boundary["threshold"])).abs().to(p.dtype)


def to_logits(p: Tensor) -> Tensor:
    """Finite logits of p in [0, 1], float64: p counts as at least 6e-8 away from 0 and 1."""
    return torch.logit(p.double(), eps=NEAREST)


def average_confusion_distance(p: Tensor, boundary: Boundary) -> float:
    """ACD, the mean confusion distance (Cunha et al. 2023); NaN for no images."""
    return confusion_distance(p.double(), boundary).mean().item()


def is_borderline(p: Tensor, boundary: Boundary) -> Tensor:
    """Which images are borderline: ``cd(x) < band`` (0.1 in Gomes et al. 2024).

    Example:
        >>> boundary = {"threshold": 0.5, "band": 0.1, "scale": "probability", "rule": ""}
        >>> is_borderline(torch.tensor([0.3, 0.45, 0.5]), boundary)
        tensor([False,  True,  True])
    """
    # A little less: by rounding, 1 - 0.8 is less than 0.2, but p = 1 is not borderline.
    return confusion_distance(p.double(), boundary) < boundary["band"] * (1 - 1e-9)


def borderline_yield(p: Tensor, boundary: Boundary) -> float:
    """The share of borderline images; NaN for no images."""
    return is_borderline(p, boundary).double().mean().item()


def centred(p: Tensor, threshold: float) -> Tensor:
    """The centred probability ``sigmoid(logit p - logit t)``: 0.5 on the boundary; p for t = 0.5.

    It is p after a shift of the model's logit that moves the boundary to 0.5.
    """
    if threshold == 0.5:
        return p
    return torch.sigmoid(to_logits(p) - logit(threshold)).to(p.dtype)


def at_temperature(p: Tensor, temperature: float) -> Tensor:
    """Calibrated probabilities: ``sigmoid(logit(p) / T)``, T positive (Guo et al. 2017)."""
    return torch.sigmoid(torch.logit(p.double()) / temperature)


class Confusion(NamedTuple):
    """Sums over images that determine their measures of confusion; sums of parts add up.

    Attributes:
        above: The number of images with p above the threshold.
        distance: Sum of the confusion distances.
        divergence: Sum of KL(Bern(p) || Bern(t)), in nats.
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
    def of(cls, p: Tensor, boundary: Boundary, bins: int) -> Self:
        """The sums over a set, which may be empty."""
        distance = confusion_distance(p.double(), boundary)
        divergence = _divergence(p.double(), boundary["threshold"])
        return cls(
            len(p),
            int(is_borderline(p, boundary).sum()),
            int(is_positive(p, boundary).sum()),
            distance.sum().item(),
            (distance**2).sum().item(),
            divergence.sum().item(),
            (divergence**2).sum().item(),
            torch.histc(p.double(), bins=bins, min=0.0, max=1.0).long(),
        )

    def __add__(self, other: Self) -> Self:  # type: ignore[override]
        """The sums over both sets together."""
        return type(self)._make(map(operator.add, self, other))

    def estimates(self, boundary: Boundary) -> dict[str, Estimate]:
        """``yield``, ``acd``, ``hubris`` and ``above_half``, each with a 95 % interval.

        Shares have Wilson's interval, means the normal interval; all are NaN for no images. For
        another threshold than 0.5, ``above_threshold`` stands in place of ``above_half``.

        Hubris (AmbiGANs) is the model's confidence: ``1 - exp(-A / R)``, where A is the mean of
        KL(Bern(p) || Bern(t)), and R that mean for N values of p spread evenly over [0, 1]. It is 0
        on the boundary, 0.63 for evenly spread p, and NaN for fewer than 2 images. For a threshold
        of 0.5 it is about 0.97 far from the boundary.
        """
        n, t = self.images, boundary["threshold"]
        divergence = estimate_of_sums(n, self.divergence, self.divergence_squares)
        distance = estimate_of_sums(n, self.distance, self.distance_squares)
        return {
            "yield": estimate_of_share(self.borderline, n),
            "acd": distance.within(0, largest_distance(boundary)),
            "hubris": Estimate(*(_hubris_of(end, n, t) for end in divergence)).within(0, 1),
            "above_half" if t == 0.5 else "above_threshold": estimate_of_share(self.above, n),
        }


def _divergence(p: Tensor, threshold: float) -> Tensor:
    """KL(Bern(p) || Bern(t)) in nats, (N,)."""
    # The cross entropy -p ln t - (1 - p) ln(1 - t).
    cross = p * (math.log1p(-threshold) - math.log(threshold)) - math.log1p(-threshold)
    divergence: Tensor = cross - torch.special.entr(p) - torch.special.entr(1 - p)
    return divergence


def _hubris_of(mean_divergence: float, images: int, threshold: float) -> float:
    if images < 2:
        return math.nan
    even = sum(
        _divergence(
            torch.arange(start, min(start + _BLOCK, images)).double() / (images - 1), threshold
        ).sum()
        for start in range(0, images, _BLOCK)
    )
    return 1 - math.exp(-mean_divergence / (float(even) / images))

"""How unsure the model under test is of a set of images.

Throughout, ``p`` is the model's probability of the positive class: a float tensor of shape (N,)
with values in [0, 1].
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

    Args:
        p: Probabilities, shape (N,).

    Returns:
        Distances in [0, 0.5], shape (N,).
    """
    return (p - 0.5).abs()


def average_confusion_distance(p: Tensor) -> float:
    """ACD, the mean confusion distance (Cunha et al. 2023): 0 on the boundary, 0.5 far from it.

    Args:
        p: Probabilities, shape (N,).

    Returns:
        The mean in [0, 0.5]; NaN for no images.
    """
    return confusion_distance(p.double()).mean().item()


def is_borderline(p: Tensor, band: float) -> Tensor:
    """Which images are borderline: those with ``cd(x) < band`` (Gomes et al. 2024: 0.1).

    Args:
        p: Probabilities, shape (N,).
        band: Half the width of the band around 0.5, in (0, 0.5].

    Returns:
        Boolean tensor of shape (N,).
    """
    return confusion_distance(p) < band


def borderline_yield(p: Tensor, band: float) -> float:
    """The share of images that are borderline.

    Args:
        p: Probabilities, shape (N,).
        band: Half the width of the band around 0.5, in (0, 0.5].

    Returns:
        A share in [0, 1]; NaN for no images.
    """
    return is_borderline(p, band).double().mean().item()


def probability_histogram(p: Tensor, bins: int = 20) -> Tensor:
    """How many images fall into each of equally wide bins of [0, 1].

    Args:
        p: Probabilities, shape (N,).
        bins: Number of bins.

    Returns:
        Counts, an integer tensor of shape (bins,); they add up to N.
    """
    return torch.histc(p.double(), bins=bins, min=0.0, max=1.0).long()


def at_temperature(p: Tensor, temperature: float) -> Tensor:
    """The probabilities of the same model, calibrated: ``sigmoid(logit(p) / T)``.

    Args:
        p: Probabilities, shape (N,).
        temperature: T, positive; above 1 makes the model less sure (Guo et al. 2017).

    Returns:
        Probabilities in [0, 1], float64, shape (N,).
    """
    return torch.sigmoid(torch.logit(p.double()) / temperature)


def hubris(p: Tensor) -> float:
    """Hubris (the AmbiGANs line of work): how sure the model is of a set of images.

    ``1 - exp(-A / R)``, with A the mean of KL(Bern(p) || Bern(0.5)) and R the same of N values of p
    evenly spread over [0, 1]: 0 on the boundary, 0.63 for p spread evenly, about 0.97 far from it.

    Args:
        p: Probabilities, shape (N,).

    Returns:
        A value in [0, 1]; NaN for fewer than 2 images, for which R is 0 or none.
    """
    return _hubris_of(_divergence(p.double()).mean().item(), len(p))


class Confusion(NamedTuple):
    """Sums over a set of images from which its measures of confusion follow.

    They add up, so that a set of any size can be measured part by part.

    Attributes:
        images: N.
        borderline: How many are borderline.
        above: How many have p above 0.5.
        distance: Sum of the confusion distances.
        distance_squares: Sum of their squares.
        divergence: Sum of KL(Bern(p) || Bern(0.5)), in nats.
        divergence_squares: Sum of its squares.
        histogram: Images in equally wide bins of [0, 1], shape (bins,).
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
        """The sums over a set.

        Args:
            p: Probabilities, shape (N,); N may be 0.
            band: Half the width of the band around 0.5, in (0, 0.5].
            bins: Bins of the histogram.
        """
        distance, divergence = confusion_distance(p.double()), _divergence(p.double())
        return cls(
            len(p),
            int(is_borderline(p, band).sum()),
            int((p > 0.5).sum()),
            distance.sum().item(),
            (distance**2).sum().item(),
            divergence.sum().item(),
            (divergence**2).sum().item(),
            probability_histogram(p, bins),
        )

    def __add__(self, other: Self) -> Self:  # type: ignore[override]
        """The sums over both sets."""
        return type(self)._make(map(operator.add, self, other))

    def estimates(self) -> dict[str, Estimate]:
        """``yield``, ``acd``, ``hubris`` and ``above_half``, each with a 95 % interval.

        Shares have Wilson's interval, means the normal one; all are NaN for no images.
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

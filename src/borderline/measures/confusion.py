"""How unsure the model under test is of a set of images.

Throughout, ``p`` is the model's probability of the positive class: a float tensor of shape (N,)
with values in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor


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

"""The decision boundary of a model under test: where its p is the decision threshold t.

Commands read settings with this file before PyTorch is loaded; ``confusion.py`` has the measures.
"""

from __future__ import annotations

import math
from typing import Literal, TypedDict, cast


class Boundary(TypedDict):
    """A decision boundary and the band around it (docs/threshold.md).

    ``scale`` is the scale of confusion distances: the ``probability``, or its ``logit``, the
    logarithm of the odds. ``band`` is the largest confusion distance of a borderline image.
    ``rule`` describes the choice of the threshold; empty if a user set it.
    """

    threshold: float  # t, in (0, 1)
    band: float  # above 0
    scale: Literal["probability", "logit"]
    rule: str


def logit(p: float) -> float:
    """The logarithm of the odds of a p in (0, 1); exactly 0 for 0.5.

    Example:
        >>> logit(0.5), round(logit(0.02), 3)
        (0.0, -3.892)
    """
    return math.log(p / (1 - p))


def sigmoid(logit: float) -> float:
    """The probability of a logit."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def uncentred(centred: float, threshold: float) -> float:
    """The p of a centred probability, both in (0, 1); see ``confusion.centred``.

    Example:
        >>> round(uncentred(0.5, 0.02), 3), round(uncentred(0.9, 0.02), 3)
        (0.02, 0.155)
    """
    if threshold == 0.5:
        return centred
    return sigmoid(logit(centred) + logit(threshold))


def largest_distance(boundary: Boundary) -> float:
    """The largest possible confusion distance: 0.5 for a threshold of 0.5; infinite for logits."""
    if boundary["scale"] == "logit":
        return math.inf
    return max(boundary["threshold"], 1 - boundary["threshold"])


def ends_of_band(boundary: Boundary) -> tuple[float, float]:
    """The ends of the borderline band on the scale of p, in [0, 1]."""
    t, band = boundary["threshold"], boundary["band"]
    if boundary["scale"] == "logit":
        return sigmoid(logit(t) - band), sigmoid(logit(t) + band)
    return t - band, t + band


def at_temperature(boundary: Boundary, temperature: float) -> Boundary:
    """The same decision boundary among calibrated probabilities: its threshold is calibrated too.

    ``confusion.at_temperature`` calibrates the probabilities.
    """
    if boundary["threshold"] == 0.5:
        return boundary
    t = sigmoid(logit(boundary["threshold"]) / temperature)
    return cast(Boundary, {**boundary, "threshold": t})


def formula_of_band(boundary: Boundary) -> str:
    """The definition of a borderline image, as pages and sentences write it.

    Example:
        >>> formula_of_band({"threshold": 0.5, "band": 0.1, "scale": "probability", "rule": ""})
        '|p - 0.5| < 0.1'
    """
    t, band = boundary["threshold"], boundary["band"]
    if boundary["scale"] == "logit":
        return f"|logit p - logit {t:.4g}| < {band:g}"
    return f"|p - {t:.4g}| < {band:g}"


def fingerprint(boundary: Boundary) -> dict[str, float | str]:
    """The settings of a boundary by dotted name, as ``ConfusionParams.fingerprint`` has them."""
    return {
        "confusion.threshold": boundary["threshold"],
        "confusion.band": boundary["band"],
        "confusion.scale": boundary["scale"],
    }


def fault_of_band(band: float, threshold: float) -> str:
    """The fault of a band on the scale of p that reaches 0 or 1; empty for none."""
    nearest = min(threshold, 1 - threshold)
    if band <= nearest:
        return ""
    end = "0" if threshold <= 0.5 else "1"
    return (
        f"band is {band:g}, but the threshold of {threshold:.4g} is only {nearest:.4g} away from "
        f"{end}, so images that the model is sure of would be borderline: set band to at most "
        f"{nearest:.4g}, or scale to 'logit'"
    )

"""The decision boundary of a model under test: where its p is the decision threshold t.

Commands read settings with this file before PyTorch is loaded; ``confusion.py`` has the measures.
"""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Context
from typing import Annotated, Any, Literal, Self, TypedDict, cast

from pydantic import Discriminator, Field, Tag, model_validator

from borderline.params import Params, Setting

NEAREST = 2.0**-24
"""A p nearer to 0 or 1 counts as this far: float32 has no values between it and 1."""

Scale = Literal["probability", "logit"]
Pairs = Literal["random", "nearest"]
"""How points of both sides are paired: at random, or each with its nearest neighbours."""


class Boundary(TypedDict):
    """A decision boundary and the band around it (docs/threshold.md).

    ``scale`` is the scale of confusion distances: the ``probability``, or its ``logit``, the
    logarithm of the odds. ``band`` is the largest confusion distance of a borderline image.
    ``rule`` describes the choice of the threshold; empty if a user set it.
    """

    threshold: float  # t, in (0, 1)
    band: float  # above 0
    scale: Scale
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


def calibrated_boundary(boundary: Boundary, temperature: float) -> Boundary:
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


def fault_of_band(band: float, threshold: float, scale: Scale, rule: str = "") -> str:
    """The fault of a band that reaches p = 0 or 1; empty for none.

    ``rule`` describes the choice of the threshold.
    """
    if scale == "logit":
        nearest = logit(1 - NEAREST) - abs(logit(threshold))
    else:
        nearest = min(threshold, 1 - threshold)
    # For 0.9 the difference is a little less than 0.1.
    nearest *= 1 + 1e-9
    if band <= nearest:
        return ""
    # Rounded down: a band of this width has no fault.
    most = float(Context(prec=4, rounding=ROUND_FLOOR).create_decimal(nearest))
    end, unit = "0" if threshold <= 0.5 else "1", " log-odds" if scale == "logit" else ""
    other = "" if scale == "logit" else "scale to 'logit' and band to 0.4, or "
    return (
        f"band is {band:g}, but the threshold of {threshold:.4g}{rule and f' ({rule})'} is only "
        f"{most:g}{unit} away from p = {end}, so images that the model is sure of would be "
        f"borderline: set {other}band to at most {most:g}"
    )


class OperatingPoint(Params):
    """A threshold that is chosen on the validation images of each model; one of the two is set.

    Attributes:
        sensitivity: The least share of the positive images with p above the threshold; the largest
            threshold is taken.
        specificity: The least share of the negative images with p at most the threshold; the
            smallest threshold is taken.
    """

    sensitivity: float | None = Field(default=None, gt=0, lt=1)
    specificity: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.sensitivity is None) == (self.specificity is None):
            raise ValueError("it must be a number, or name either a sensitivity or a specificity")
        return self


def _member_of_threshold(value: Any) -> str:
    return "operating_point" if isinstance(value, dict | OperatingPoint) else "number"


class ConfusionParams(Params):
    """The decision boundary of the models under test, and the band around it (docs/threshold.md).

    Attributes:
        threshold: The decision threshold t: an image is positive if ``p > t``.
        band: The largest confusion distance of a borderline image.
        scale: The scale of confusion distances: ``probability``, ``|p - t|``, or ``logit``,
            ``|logit p - logit t|``.
    """

    threshold: Annotated[
        Annotated[float, Field(ge=1e-7, le=1 - 1e-7), Tag("number")]
        | Annotated[OperatingPoint, Tag("operating_point")],
        Discriminator(_member_of_threshold),
    ]
    band: float = Field(gt=0)
    scale: Scale

    @model_validator(mode="after")
    def _band_ends_before_0_and_1(self) -> Self:
        t = 0.5 if isinstance(self.threshold, OperatingPoint) else self.threshold
        if fault := fault_of_band(self.band, t, self.scale):
            raise ValueError(fault)
        return self

    @property
    def known_threshold(self) -> float | None:
        """The threshold; None where each model has its own, which is not known before the run."""
        return None if isinstance(self.threshold, OperatingPoint) else self.threshold

    def boundary(self) -> Boundary | None:
        """The decision boundary; None where it is not known before the run."""
        threshold = self.known_threshold
        if threshold is None:
            return None
        return {"threshold": threshold, "band": self.band, "scale": self.scale, "rule": ""}

    def fingerprint(self, group: str) -> dict[str, Setting]:
        """As for all settings, without a threshold that is not known before the run."""
        values = super().fingerprint(group)
        return {n: v for n, v in values.items() if not n.startswith(f"{group}.threshold.")}

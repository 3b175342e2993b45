"""The decision threshold of a model under test, chosen on its validation images if asked for."""

from __future__ import annotations

import math

from torch import Tensor

from borderline.boundary import Boundary, ConfusionParams, OperatingPoint, fault_of_band, sigmoid
from borderline.errors import BorderlineError
from borderline.measures.confusion import to_logits

_SETTING = "confusion.threshold"


def boundary_of(confusion: ConfusionParams, p: Tensor, labels: Tensor) -> Boundary:
    """The decision boundary of a model.

    Args:
        confusion: The settings of the threshold and the band.
        p: The model's p of its validation images, (N,); not used where the threshold is a number.
        labels: Their labels, 0 or 1, (N,).

    Raises:
        BorderlineError: When no threshold has the operating point, when the images are too few to
            tell, or when the band reaches p = 0 or 1.
    """
    point = confusion.threshold
    if not isinstance(point, OperatingPoint):
        known = confusion.boundary()
        assert known is not None, "a number is known"
        return known
    t, rule = threshold_of(point, p, labels)
    if fault := fault_of_band(confusion.band, t, confusion.scale, rule):
        raise BorderlineError(f"confusion.{fault}.")
    return {"threshold": t, "band": confusion.band, "scale": confusion.scale, "rule": rule}


def check_count(point: OperatingPoint, labels: Tensor) -> None:
    """Check that validation images with these labels, 0 or 1, can tell an operating point.

    Raises:
        BorderlineError: When they are too few.
    """
    name, least, label = _parts(point)
    count, fewest = int((labels == label).sum()), math.ceil(1 / (1 - least) - 1e-9)
    if count < fewest:
        raise BorderlineError(
            f"{_SETTING} is {{{name}: {least:g}}}, but the {count} validation images of the "
            f"{'positive' if label else 'negative'} class are too few to tell: at least {fewest} "
            "are needed, so give more validation images, raise classifier.validation_share if the "
            "source has none, or set a number."
        )


def _parts(point: OperatingPoint) -> tuple[str, float, int]:
    """The measure of an operating point, its least value, and the label of its images."""
    if point.sensitivity is not None:
        return "sensitivity", point.sensitivity, 1
    assert point.specificity is not None, "an operating point has one of the two"
    return "specificity", point.specificity, 0


def threshold_of(point: OperatingPoint, p: Tensor, labels: Tensor) -> tuple[float, str]:
    """The threshold of an operating point, and its rule in words.

    It lies in the middle, on the logit scale, between the score that decides and the next score of
    any image. So the same images are on each side of it after a shift of the logit.

    Args:
        point: The sensitivity or the specificity.
        p: Scores in [0, 1], (N,).
        labels: 0 or 1, (N,).

    Raises:
        BorderlineError: As for :func:`boundary_of`.
    """
    check_count(point, labels)
    name, least, label = _parts(point)
    # Negated for the specificity, so that the images of the class are those with high scores.
    sign = 1 if label else -1
    logits = sign * to_logits(p)
    of_class = logits[labels == label].sort(descending=True).values
    count = len(of_class)
    needed = math.ceil(least * count - 1e-9)
    last = of_class[needed - 1]
    beyond = logits[logits < last]
    if len(beyond) == 0:
        raise BorderlineError(
            f"{_SETTING} is {{{name}: {least:g}}}, but only a threshold with all validation images "
            "on one side of it has it: lower it, or set a number."
        )
    middle = float((last + beyond.max()) / 2)
    reached = float((of_class > middle).double().mean())
    rule = (
        f"{name} of at least {least:g} on {count} validation images of the "
        f"{'positive' if label else 'negative'} class, where it is {reached:.3g}"
    )
    return sigmoid(sign * middle), rule

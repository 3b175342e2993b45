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
    if fault := fault_of_band(confusion.band, t, confusion.scale):
        raise BorderlineError(f"{_SETTING} gives {t:.4g} ({rule}), but confusion.{fault}.")
    return {"threshold": t, "band": confusion.band, "scale": confusion.scale, "rule": rule}


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
    if point.sensitivity is not None:
        name, least, label = "sensitivity", point.sensitivity, 1
    else:
        assert point.specificity is not None, "an operating point has one of the two"
        name, least, label = "specificity", point.specificity, 0
    # Negated for the specificity, so that the images of the class are those with high scores.
    sign = 1 if label else -1
    logits = sign * to_logits(p)
    of_class = logits[labels == label].sort(descending=True).values
    count, setting = len(of_class), f"{_SETTING} is {{{name}: {least:g}}}"
    fewest = math.ceil(1 / (1 - least) - 1e-9)
    if count < fewest:
        raise BorderlineError(
            f"{setting}, but the {count} validation images of the "
            f"{'positive' if label else 'negative'} class are too few to tell: at least {fewest} "
            "are needed, so give more images, raise classifier.validation_share, or set a number."
        )
    needed = math.ceil(least * count - 1e-9)
    last = of_class[needed - 1]
    beyond = logits[logits < last]
    if len(beyond) == 0:
        raise BorderlineError(
            f"{setting}, but only a threshold with all validation images on one side of it has it: "
            "lower it, or set a number."
        )
    middle = float((last + beyond.max()) / 2)
    reached = float((of_class > middle).double().mean())
    rule = (
        f"{name} of at least {least:g} on {count} validation images of the "
        f"{'positive' if label else 'negative'} class, where it is {reached:.3g}"
    )
    return sigmoid(sign * middle), rule

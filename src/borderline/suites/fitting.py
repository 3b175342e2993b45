"""Whether a suite fits a run."""

from __future__ import annotations

from collections.abc import Sequence

from borderline.errors import BorderlineError
from borderline.measures.class_names import ClassNames
from borderline.suites.suite import Suite

_REMEDY = "name another suite, or run another environment"


def check_fits(suite: Suite, folder: str, names: ClassNames, shape: Sequence[int]) -> None:
    """Check that a suite has images of a run's pair and shape.

    Raises:
        BorderlineError: When not.
    """
    check_classes(suite, folder, names)
    if tuple(suite.about.shape) != tuple(shape):
        raise BorderlineError(
            f"The suite {folder} has images of the shape {tuple(suite.about.shape)}, but this run "
            f"has images of the shape {tuple(shape)}: {_REMEDY}."
        )


def check_classes(suite: Suite, folder: str, names: ClassNames) -> None:
    """Check that a suite is about the pair of a run.

    Raises:
        BorderlineError: When its classes have other names, or are in another order.
    """
    classes = suite.about.positive, suite.about.negative
    if classes != (names.positive, names.negative):
        raise BorderlineError(
            f"The suite {folder} has {classes[0]!r} as the positive class and {classes[1]!r} as "
            f"the negative one, but this run has {names.positive!r} and {names.negative!r}: "
            f"{_REMEDY}."
        )

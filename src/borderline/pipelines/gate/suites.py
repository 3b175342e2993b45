"""The suites of the gate: their entry in the catalog, and whether they fit the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from borderline.datasets.buckets import located
from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.gate.params import GateParams
    from borderline.suites.suite import Suite

SUITES = "gate_suites"
"""The dataset of the suites that ``gate.suites`` names."""
_ONE_CLASS = 0.9
_REMEDY = "name another suite in gate.suites, or run another environment"


def suites_entry(gate: GateParams, project: Path) -> dict[str, dict[str, Any]]:
    """The entry of the catalog for the suites; none where the gate replays none."""
    if not gate.suites:
        return {}
    entry = {
        "type": "borderline.datasets.SuiteFolders",
        "paths": {folder: located(folder, project) for folder in gate.suites},
        "metadata": {"kedro-viz": {"layer": "report"}},
    }
    return {SUITES: entry}


def read_suites(files: Mapping[str, Mapping[str, bytes]]) -> dict[str, Suite]:
    """The suites by folder, from the files of each.

    Raises:
        BorderlineError: When one is no whole, unchanged suite.
    """
    from borderline.suites.folder import suite_of

    return {folder: suite_of(content, folder) for folder, content in files.items()}


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


def check_suite(
    suite: Suite, folder: str, names: ClassNames, shape: Sequence[int], gate: GateParams
) -> None:
    """Check that a suite has images of a run's pair and shape, and that a limit applies to it.

    Raises:
        BorderlineError: When not.
    """
    check_classes(suite, folder, names)
    if tuple(suite.about.shape) != tuple(shape):
        raise BorderlineError(
            f"The suite {folder} has images of the shape {tuple(suite.about.shape)}, but this run "
            f"has images of the shape {tuple(shape)}: {_REMEDY}."
        )
    if not any(suite.rows(verdict) for verdict in gate.suite_limits.verdicts):
        raise BorderlineError(
            f"The suite {folder} has {len(suite.rows('weakness'))} weakness images and "
            f"{len(suite.rows('ambiguous'))} ambiguous ones, and gate.suite_limits has no limit "
            f"for these: set one, or {_REMEDY}."
        )


def doubt_about(suite: Suite, folder: str) -> str:
    """A sentence about a suite whose weakness images are of one class; empty for another one.

    A model that decides for that class too often is right on most of them.
    """
    labels = [suite.items[row].label for row in suite.rows("weakness")]
    positive = sum(label == 1 for label in labels)
    negative, about = len(labels) - positive, suite.about
    if max(positive, negative) <= _ONE_CLASS * len(labels):
        return ""
    often = about.positive if positive > negative else about.negative
    return (
        f"Of the weakness images of the suite {folder}, {positive} are {about.positive!r} and "
        f"{negative} are {about.negative!r}: it does not show whether a model decides for "
        f"{often!r} too often."
    )

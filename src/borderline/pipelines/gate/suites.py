"""The suites of the gate: their entry in the catalog, and whether they can judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from borderline.datasets.buckets import located
from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.pipelines.gate.params import GateParams
    from borderline.suites.suite import Suite

SUITES = "gate_suites"
"""The dataset of the suites that ``gate.suites`` names."""
_ONE_CLASS = 0.9


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


def check_has_limit(suite: Suite, folder: str, gate: GateParams) -> None:
    """Check that a limit applies to a suite.

    Raises:
        BorderlineError: When none does.
    """
    if not any(suite.rows(verdict) for verdict in gate.suite_limits.verdicts):
        raise BorderlineError(
            f"The suite {folder} has {len(suite.rows('weakness'))} weakness images and "
            f"{len(suite.rows('ambiguous'))} ambiguous ones, and gate.suite_limits has no limit "
            "for these: set one, or name another suite."
        )


def doubts_about(suite: Suite, folder: str, gate: GateParams) -> Iterator[str]:
    """Sentences about a suite whose weakness images are nearly all of one class, or very few.

    A model that decides for that class too often is right on most of them.
    """
    labels = [suite.items[row].label for row in suite.rows("weakness")]
    positive = sum(label == 1 for label in labels)
    negative, about = len(labels) - positive, suite.about
    if max(positive, negative) > _ONE_CLASS * len(labels):
        often = about.positive if positive > negative else about.negative
        yield (
            f"Of the weakness images of the suite {folder}, {positive} are {about.positive!r} and "
            f"{negative} are {about.negative!r}: it does not show whether a model decides for "
            f"{often!r} too often."
        )
    allowed = gate.suite_limits.weakness_accuracy.below_former
    if labels and allowed and allowed * len(labels) < 1 and gate.judged_by == "value":
        yield (
            f"The suite {folder} has so few weakness images ({len(labels)}) that a model which is "
            "wrong on one more than the former model breaks the limit "
            f"gate.suite_limits.weakness_accuracy.below_former, {allowed:g}."
        )

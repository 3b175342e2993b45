"""The node of the suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

    from borderline.records import Clusters, Part, Prototypes
    from borderline.suites.suite import Suite


def freeze_suite(
    borderline: Part,
    verdicts_table: DataFrame,
    human_labels: dict[str, Any],
    clusters: Clusters,
    prototypes: Prototypes,
    findings: dict[str, Any],
    installation: dict[str, Any],
    parameters: dict[str, Any],
    suites_to_merge: dict[str, Suite],
    *,
    model_name: str,
) -> dict[str, bytes]:
    """The files of the suite of a model's findings, and of the suites of ``suite.merge``."""
    raise NotImplementedError

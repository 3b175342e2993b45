"""The suites of ``suite.merge``: their entry in the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from borderline.datasets.buckets import located

if TYPE_CHECKING:
    from borderline.pipelines.suite.params import SuiteParams

MERGED = "suites_to_merge"
"""The dataset of the suites that ``suite.merge`` names."""


def merged_entry(suite: SuiteParams, project: Path) -> dict[str, dict[str, Any]]:
    """The entry of the catalog for the suites; relative paths begin in the project."""
    entry = {
        "type": "borderline.datasets.SuiteFolders",
        "paths": {folder: located(folder, project) for folder in suite.merge},
        "metadata": {"kedro-viz": {"layer": "report"}},
    }
    return {MERGED: entry}

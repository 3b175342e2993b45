"""The files of suites that a run replays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from borderline.datasets.atomic import ReadOnlyDataset


class SuiteFiles(ReadOnlyDataset[dict[str, Mapping[str, bytes]]]):
    """The files of several suites, each whole and unchanged, by the folder of the suite.

    Args:
        paths: The path or address of each folder, by its name in settings and messages.
        metadata: Ignored here; read by kedro-viz.
    """

    def __init__(self, *, paths: Mapping[str, str], metadata: dict[str, Any] | None = None) -> None:
        self._paths = dict(paths)
        self.metadata = metadata

    def load(self) -> dict[str, Mapping[str, bytes]]:
        """The content of each file by name, of each suite by folder.

        Raises:
            BorderlineError: When one is no whole, unchanged suite.
        """
        from borderline.datasets.suite_folder import read_files

        return {folder: read_files(path) for folder, path in self._paths.items()}

    def _describe(self) -> dict[str, Any]:
        return {"paths": self._paths}

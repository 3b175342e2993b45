"""A tracker with the interface of wandb that records every call."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class Tracker:
    """The module ``wandb``.

    Args:
        fails_at: The name of a call that raises an error; none where empty.
        error: The kind of that error.
        file: Takes a line of JSON for each run that finishes.
    """

    def __init__(
        self,
        fails_at: str = "",
        file: Path | None = None,
        error: type[BaseException] = RuntimeError,
    ) -> None:
        self.fails_at, self.file, self.error = fails_at, file, error("the network is down")
        self.calls: list[str] = []
        self.runs: list[Run] = []

    def called(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            raise self.error

    def init(self, **arguments: Any) -> Run:
        self.called("init")
        self.runs.append(Run(self, arguments))
        return self.runs[-1]

    def Settings(self, **settings: Any) -> dict[str, Any]:  # noqa: N802
        return settings

    def Table(self, *, dataframe: Any, allow_mixed_types: bool) -> SimpleNamespace:  # noqa: N802
        assert allow_mixed_types
        return SimpleNamespace(kind="table", columns=list(dataframe), rows=len(dataframe))

    def Image(self, image: Any, caption: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(kind="image", size=image.size, caption=caption)

    def Plotly(self, figure: Any) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(kind="chart", traces=len(figure.data))

    def Artifact(self, name: str, type: str) -> Artifact:  # noqa: N802
        return Artifact(self, name)

    def stages(self) -> dict[str, Run]:
        runs = {run.arguments["job_type"]: run for run in self.runs}
        assert len(runs) == len(self.runs)
        return runs


class Artifact:
    def __init__(self, tracker: Tracker, name: str) -> None:
        self._tracker, self.name = tracker, name
        self.files: list[str] = []

    def add_file(self, path: str, name: str) -> None:
        self._tracker.called("add_file")
        assert Path(path).is_file()
        self.files.append(name)


class Run:
    """A run of the tracker."""

    def __init__(self, tracker: Tracker, arguments: dict[str, Any]) -> None:
        self._tracker, self.arguments = tracker, arguments
        self.rows: list[dict[str, Any]] = []
        self.steps: dict[str, str] = {}
        self.summary: dict[str, float] = {}
        self.artifacts: dict[str, list[str]] = {}
        self.ended: list[int] = []

    def log(self, row: dict[str, Any]) -> None:
        self._tracker.called("log")
        self.rows.append(row)

    def define_metric(self, name: str, step_metric: str) -> None:
        self._tracker.called("define_metric")
        self.steps[name] = step_metric

    def log_artifact(self, artifact: Artifact) -> None:
        self._tracker.called("log_artifact")
        self.artifacts[artifact.name] = artifact.files

    def finish(self, exit_code: int) -> None:
        self._tracker.called("finish")
        self.ended.append(exit_code)
        if self._tracker.file is not None:
            summary = {
                "stage": self.arguments["job_type"],
                "names": sorted(name for row in self.rows for name in row),
                "artifacts": self.artifacts,
                "exit_code": exit_code,
            }
            with self._tracker.file.open("a") as file:
                print(json.dumps(summary), file=file)

    def values(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows if name in row]


def finished_runs(file: Path) -> Iterable[dict[str, Any]]:
    """The runs in a tracker's file."""
    return [json.loads(line) for line in file.read_text().splitlines()]

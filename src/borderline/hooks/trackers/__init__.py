"""Trackers of runs: a file each, with one interface."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from borderline.errors import BorderlineError
from borderline.params import TrackingParams

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


class TrackedRun(Protocol):
    """A run of a tracker. In names, ``/`` separates groups."""

    def log_row(self, name: str, row: Mapping[str, float], step: str | None) -> None:
        """Log a point of each curve ``<name>/<column>``; ``step`` is the column of the x axis."""

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Log a table; None stands in its empty cells."""

    def log_picture(self, name: str, content: bytes) -> None:
        """Log a PNG."""

    def log_samples(self, name: str, pictures: Mapping[str, bytes]) -> None:
        """Log PNGs by the name of their epoch."""

    def log_chart(self, name: str, chart: Figure) -> None:
        """Log an interactive chart."""

    def summarise(self, scores: Mapping[str, float]) -> None:
        """Add scores to the row of the run in the tracker's table."""

    def keep_files(self, name: str, files: Iterable[tuple[str, Path]]) -> None:
        """Keep files with their names; each exists only until the next one is taken."""

    def finish(self, exit_code: int) -> None:
        """End the run, 0 for success."""


class Tracker(Protocol):
    """A place that runs are tracked in."""

    def start(self, name: str, kind: str, group: str, config: Mapping[str, Any]) -> TrackedRun:
        """Start a run.

        Args:
            name: Its name.
            kind: A stage, or ``generator``.
            group: The name that all tracked runs of one Kedro run share.
            config: Its settings, nested.
        """


def open_tracker(settings: TrackingParams, folder: Path) -> Tracker | None:
    """The tracker of the settings; None if the settings or the environment disable it.

    Args:
        settings: The settings.
        folder: The data folder on this machine.

    Raises:
        ModuleNotFoundError: When the tracker is not installed.
    """
    if settings.kind == "mlflow":
        from borderline.hooks.trackers.mlflow import open_mlflow

        return open_mlflow(settings, folder)
    from borderline.hooks.trackers.wandb import open_wandb

    return open_wandb(settings, folder)


def check_server(settings: TrackingParams) -> None:
    """Make sure that there is a server if runs are sent to MLflow.

    Raises:
        BorderlineError: When there is none.
    """
    online = settings.kind == "mlflow" and settings.mode == "online"
    if online and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise BorderlineError(
            "tracking.mode is 'online', but MLflow has no server: set the environment variable "
            "MLFLOW_TRACKING_URI to its address, or set tracking.mode to 'offline'."
        )

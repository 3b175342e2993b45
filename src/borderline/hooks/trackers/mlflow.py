"""MLflow."""

from __future__ import annotations

import importlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from borderline.params import TrackingParams, flat

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

_SERVER = "MLFLOW_TRACKING_URI"
_DATABASE = "mlflow.db"
# Limits of MLflow.
_BATCH, _LONGEST_NAME, _LONGEST_VALUE = 100, 250, 6000


def open_mlflow(settings: TrackingParams, folder: Path) -> MlflowTracker | None:
    """The tracker; None if it is disabled. Without a server all stays in ``<folder>/mlflow``."""
    if settings.mode == "disabled":
        return None
    for name, value in (
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("MLFLOW_LOGGING_LEVEL", "WARNING"),
        # MLflow itself tries a server that does not answer for several minutes.
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"),
    ):
        os.environ.setdefault(name, value)
    return MlflowTracker(importlib.import_module("mlflow"), settings, folder / "mlflow")


class MlflowTracker:
    """Runs of one experiment, in a database and a folder of files, or on a server."""

    def __init__(self, mlflow: Any, settings: TrackingParams, folder: Path) -> None:
        self._mlflow, self._settings, self._folder = mlflow, settings, folder

    def start(self, name: str, kind: str, group: str, config: Mapping[str, Any]) -> MlflowRun:
        """Start a run, with its kind and its group as tags."""
        tags = dict.fromkeys(self._settings.tags, "true") | {"group": group, "kind": kind}
        tags = {_name(tag): value for tag, value in tags.items()}
        run_id = self._client.create_run(self._experiment, tags=tags, run_name=name).info.run_id
        values = {_name(key): str(value)[:_LONGEST_VALUE] for key, value in flat(config)}
        params = [self._mlflow.entities.Param(*value) for value in values.items()]
        for first in range(0, len(params), _BATCH):
            self._client.log_batch(run_id, params=params[first : first + _BATCH])
        return MlflowRun(self._mlflow, self._client, run_id)

    @cached_property
    def _client(self) -> Any:
        server = os.environ.get(_SERVER)
        if not server:
            self._folder.mkdir(parents=True, exist_ok=True)
            server = f"sqlite:///{(self._folder / _DATABASE).as_posix()}"
        return self._mlflow.MlflowClient(tracking_uri=server)

    @cached_property
    def _experiment(self) -> str:
        """The number of the experiment, which is made if it is not there."""
        if number := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return number
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", self._settings.project)
        files = None if os.environ.get(_SERVER) else (self._folder / "files").as_uri()
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            return str(self._client.create_experiment(name, artifact_location=files))
        return str(experiment.experiment_id)


class MlflowRun:
    """A run; see :class:`borderline.hooks.trackers.TrackedRun`."""

    def __init__(self, mlflow: Any, client: Any, run_id: str) -> None:
        self._mlflow, self._client, self._id = mlflow, client, run_id

    def log_row(self, name: str, row: Mapping[str, float], step: str | None) -> None:
        """Log a point of each curve."""
        place = int(row[step]) if step is not None else 0
        self._log_metrics({f"{name}/{key}": value for key, value in row.items()}, place)

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Log a table as CSV, which MLflow shows as a table."""
        self._client.log_text(self._id, table.to_csv(index=False), f"{name}.csv")

    def log_picture(self, name: str, content: bytes) -> None:
        """Log a picture."""
        from PIL import Image

        self._client.log_image(self._id, Image.open(BytesIO(content)), f"{name}.png")

    def log_samples(self, name: str, pictures: Mapping[str, bytes]) -> None:
        """Log pictures that MLflow shows with a slider over the epochs."""
        from PIL import Image

        key = re.sub(r"[^A-Za-z0-9_./ -]", "_", name)
        for epoch, content in sorted(pictures.items()):
            step = int(re.sub(r"\D", "", epoch) or 0)
            self._client.log_image(self._id, Image.open(BytesIO(content)), key=key, step=step)

    def log_chart(self, name: str, chart: Figure) -> None:
        """Log a chart as a page that needs no network."""
        from borderline.datasets.figures import as_page

        self._client.log_text(self._id, as_page(chart, library=True), f"{name}.html")

    def summarise(self, scores: Mapping[str, float]) -> None:
        """Add scores to the metrics."""
        self._log_metrics(scores, 0)

    def keep_files(self, name: str, files: Iterable[tuple[str, Path]]) -> None:
        """Keep each file in a folder of its name."""
        for file, path in files:
            self._client.log_artifact(self._id, str(path), f"results/{Path(file).stem}")

    def finish(self, exit_code: int) -> None:
        """End the run."""
        self._client.set_terminated(self._id, "FAILED" if exit_code else "FINISHED")

    def _log_metrics(self, values: Mapping[str, float], step: int) -> None:
        now, entity = int(time.time() * 1000), self._mlflow.entities.Metric
        metrics = [entity(_name(name), value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)


def _name(text: str) -> str:
    """A text as MLflow allows it for the name of a metric, a parameter or a tag."""
    return re.sub(r"[^\w./ :-]", "_", text)[:_LONGEST_NAME]

"""Tracks runs with Weights & Biases."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from matplotlib.figure import Figure
from PIL import Image

from borderline.context import BorderlineContext
from borderline.datasets import (
    CSVDataset,
    JSONDataset,
    MatplotlibDataset,
    PickleDataset,
    PlotlyDataset,
    TextDataset,
)
from borderline.datasets.buckets import is_bucket, local_copy
from borderline.hooks.progress import _COUNTS, _NUMBERS
from borderline.pipeline_registry import BESIDE, STAGES

logger = logging.getLogger(__name__)


# What a run ends with, by the last part of the name.
_ARTIFACTS = ("classifier", "generator", "findings", "model_card", "report", "comparison")
_LOOKED_AT = (CSVDataset, JSONDataset, MatplotlibDataset, PickleDataset, PlotlyDataset, TextDataset)


class TrackingHooks:
    """Tracks runs with Weights & Biases, where it is installed; a tracker that fails fails no run.

    Each stage of a run is a run of the tracker, of one group: curves and samples while it trains,
    then tables and figures, and at the end the models, the page and the cards as an artifact.
    """

    def __init__(self) -> None:
        self._runs: dict[str, Any] = {}
        self._files: dict[str, set[str]] = {}
        self._rows: dict[str, int] = {}
        self._seen: set[str] = set()
        self._tracker: Any = None
        self._stopped = True

    @hook_impl
    def after_context_created(self, context: BorderlineContext) -> None:
        """Remember what runs are to be called."""
        self._parameters = context.checked
        about, pair = context.about, context.checked.pair
        self._case = f"{about.dataset}_{pair.positive}v{pair.negative}"
        # What the tracker keeps is on this machine in any case.
        folder = "data" if is_bucket(about.data_folder) else about.data_folder
        self._folder = context.project_path / folder
        self._config = {
            **context.checked.model_dump(mode="json", exclude={"tracking"}),
            "runs": context.derived.plain()["runs"],
            "call": context.derived.call.model_dump(mode="json", exclude={"listed"}),
            "dataset": about.dataset,
        }

    @hook_impl
    def before_pipeline_run(self, catalog: DataCatalog) -> None:
        """Find the tracker; its runs begin with their stages."""
        self._runs, self._files, self._rows, self._seen = {}, {}, {}, set()
        self._tracker, self._stopped = None, True
        self._catalog, self._process = catalog, os.getpid()
        self._group = f"{self._case}-{datetime.now():%Y%m%d-%H%M%S}"
        if os.environ.get("WANDB_MODE", self._parameters.tracking.mode) == "disabled":
            return
        with self._whatever_happens():
            # What it keeps stays with the results, and nothing is reported to anybody.
            for name, value in (
                ("WANDB_DATA_DIR", str(self._folder / "wandb" / "data")),
                ("WANDB_CACHE_DIR", str(self._folder / "wandb" / "cache")),
                ("WANDB_ERROR_REPORTING", "false"),
            ):
                os.environ.setdefault(name, value)
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._tracker = importlib.import_module("wandb")
            except ModuleNotFoundError:
                logger.info("Nothing is tracked, for wandb is not installed.")
            else:
                self._stopped = False

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Log what can be looked at, as soon as it is there."""
        # Runs are of the process that began them.
        if not self._stopped and os.getpid() == self._process:
            self._seen.add(dataset_name)
            self._log(dataset_name, data, node)

    def _log(self, dataset_name: str, data: Any, node: Node) -> None:
        stage = next((tag for tag in (*STAGES, *BESIDE) if tag in node.tags), None)
        if stage is None:
            return
        # The tracker takes a dot for the way into a dictionary.
        name = dataset_name.replace(".", "/")
        with self._whatever_happens():
            run = self._run(stage)
            if isinstance(data, pd.DataFrame):
                if inspect.isgeneratorfunction(node.func):
                    self._log_rows(run, name, data)
                else:
                    self._log_table(run, name, data)
            elif isinstance(data, go.Figure):
                run.log({name: self._tracker.Plotly(data)})
            elif isinstance(data, Figure | bytes):
                run.log({name: self._image(self._catalog.load(dataset_name), name)})
            elif _are_figures(data):
                saved = self._catalog.load(dataset_name)
                run.log({name: [self._image(saved[own](), own) for own in sorted(data)]})
            elif dataset_name.rpartition(".")[-1] in _ARTIFACTS:
                self._files.setdefault(stage, set()).add(dataset_name)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline) -> None:
        """Log the artifacts, and finish."""
        for node in pipeline.nodes:
            for name in node.outputs:
                # Other processes saved it, whose hooks have no tracker.
                late = name not in self._seen and not self._stopped
                if late and isinstance(self._catalog.get(name), _LOOKED_AT):
                    with self._whatever_happens():
                        self._log(name, self._catalog.load(name), node)
        self._finish(0)

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Finish as failed; what was logged stays."""
        self._finish(1)

    def _finish(self, exit_code: int) -> None:
        for stage, run in self._runs.items():
            with self._whatever_happens():
                files = self._files.get(stage)
                if files and exit_code == 0 and not self._stopped:
                    artifact = self._tracker.Artifact(f"{self._case}-{stage}", type="results")
                    for name in sorted(files):
                        with TemporaryDirectory() as folder:
                            path = local_copy(self._catalog.get(name), folder)
                            artifact.add_file(str(path), name=f"{name}{path.suffix}")
                    run.log_artifact(artifact)
            with self._whatever_happens():
                run.finish(exit_code=exit_code)
        self._runs, self._stopped = {}, True

    def _run(self, stage: str) -> Any:
        if stage not in self._runs:
            settings, environment = self._parameters.tracking, os.environ
            asked = {
                "WANDB_MODE": ("mode", settings.mode),
                "WANDB_PROJECT": ("project", settings.project),
                "WANDB_ENTITY": ("entity", settings.entity),
                "WANDB_TAGS": ("tags", list(settings.tags)),
                "WANDB_RUN_GROUP": ("group", self._group),
                "WANDB_DIR": ("dir", str(self._folder)),
            }
            # Arguments would win over the environment.
            arguments = dict(own for name, own in asked.items() if name not in environment)
            self._runs[stage] = self._tracker.init(
                **arguments,
                name=f"{self._case}-{stage}",
                job_type=stage,
                config=self._config,
                reinit="create_new",
                settings=self._tracker.Settings(
                    console="off", silent=True, disable_git=True, disable_code=True
                ),
            )
        return self._runs[stage]

    def _log_rows(self, run: Any, name: str, table: pd.DataFrame) -> None:
        """The rows that came since the last time: a point of each curve for each."""
        step = next((column for column in (*_COUNTS, *_NUMBERS) if column in table), None)
        if name not in self._rows and step is not None:
            run.define_metric(f"{name}/*", step_metric=f"{name}/{step}")
        # Some tables grow by rows, others have one that counts.
        new = table.iloc[min(self._rows.get(name, 0), len(table) - 1) :]
        self._rows[name] = len(table)
        for _, row in new.iterrows():
            numbers = pd.to_numeric(row, errors="coerce").dropna()
            run.log({f"{name}/{column}": float(value) for column, value in numbers.items()})

    def _log_table(self, run: Any, name: str, table: pd.DataFrame) -> None:
        """A table; of a single row, its numbers stand in the summary too."""
        plain = table.astype(object).where(table.notna(), None)
        run.log({name: self._tracker.Table(dataframe=plain, allow_mixed_types=True)})
        if len(table) == 1:
            numbers = pd.to_numeric(table.iloc[0], errors="coerce").dropna()
            run.summary.update({f"{name}/{column}": float(own) for column, own in numbers.items()})

    def _image(self, content: bytes, caption: str) -> Any:
        return self._tracker.Image(Image.open(BytesIO(content)), caption=caption)

    @contextmanager
    def _whatever_happens(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self._stopped:
                logger.warning("Tracking stopped, and the run goes on: %s", error)
            self._stopped = True


def _are_figures(data: Any) -> bool:
    return isinstance(data, dict) and bool(data) and isinstance(next(iter(data.values())), Figure)

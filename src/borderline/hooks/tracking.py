"""Tracks runs with Weights & Biases or MLflow."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from borderline.datasets.buckets import is_bucket, local_copy
from borderline.hooks.marks import has_mark
from borderline.hooks.trackers import TrackedRun, Tracker, check_server, open_tracker
from borderline.names import LONGEST_PLAIN, name_of_pair, plain_name
from borderline.pipeline_registry import BESIDE, STAGES
from borderline.printing import harmless
from borderline.streaming import Stream, stream_of

if TYPE_CHECKING:
    import pandas as pd

    from borderline.context import BorderlineContext

logger = logging.getLogger(__name__)

_LONGEST_NAME = 128  # of a run, for the tracker


class _Place(NamedTuple):
    """A tracked run: a stage, or a generator of a model."""

    stage: str = ""
    model: str = ""
    generator: str = ""

    def __str__(self) -> str:
        return "-".join(filter(None, self))


class TrackingHooks:
    """Tracks runs if the tracker is installed; an error of the tracker stops no run.

    Each stage of a run is a run of the tracker, all in one group: curves and samples during a
    training, then tables and figures, and at the end the marked files as an artifact. Each
    generator of each model is one too, if the settings ask for it.
    """

    def __init__(self) -> None:
        self._runs: dict[_Place, TrackedRun] = {}
        self._files: dict[_Place, set[str]] = {}
        self._rows: dict[str, int] = {}
        self._seen: set[str] = set()
        self._tracker: Tracker | None = None
        self._stopped = True

    @hook_impl
    def after_context_created(self, context: BorderlineContext) -> None:
        """Remember the names and settings of the tracker's runs."""
        self._parameters, self._layout = context.checked, context.layout
        about, pair = context.about, context.checked.pair
        case = f"{about.dataset}_{name_of_pair(pair.positive, pair.negative)}"
        # The tracker allows 128 characters with the stage or the time.
        self._case = case if len(case) <= LONGEST_PLAIN else plain_name(case)
        # The tracker keeps its files on this machine, also when results go to a bucket.
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
        """Find the tracker; its runs start with their stages."""
        settings = self._parameters.tracking
        check_server(settings)
        self._runs, self._files, self._rows, self._seen = {}, {}, {}, set()
        self._tracker, self._stopped = None, False
        self._catalog, self._process = catalog, os.getpid()
        self._group = f"{self._case}-{datetime.now():%Y%m%d-%H%M%S}"
        with self._stopped_by_errors():
            try:
                self._tracker = open_tracker(settings, self._folder)
            except ModuleNotFoundError as error:
                if error.name != settings.kind:
                    raise
                if settings.kind == "wandb":  # the default, which not everyone wants
                    logger.info("Nothing is tracked, because wandb is not installed.")
                else:
                    logger.warning(
                        "Nothing is tracked, because mlflow is not installed: "
                        "pip install 'borderline[mlflow]'."
                    )
            self._stopped = self._tracker is None

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Log a table, a figure or a file as soon as it is saved."""
        # Only the process that started the tracker's runs can log to them.
        if not self._stopped and os.getpid() == self._process:
            self._seen.add(dataset_name)
            self._log(dataset_name, data, node)

    def _log(self, dataset_name: str, data: Any, node: Node) -> None:
        stage = next((tag for tag in (*STAGES, *BESIDE) if tag in node.tags), None)
        if stage is None:
            return
        place, name = self._place(dataset_name, stage)
        with self._stopped_by_errors():
            from borderline.datasets import (
                CSVDataset,
                FigureFolder,
                MatplotlibDataset,
                PlotlyDataset,
            )

            dataset = self._catalog.get(dataset_name)
            if has_mark(dataset, "private"):
                return
            run = self._run(place)
            if has_mark(dataset, "artifact"):
                self._files.setdefault(place, set()).add(dataset_name)
            elif isinstance(dataset, PlotlyDataset):
                run.log_chart(name, dataset.load() if data is None else data)
            elif isinstance(dataset, MatplotlibDataset):
                run.log_picture(name, dataset.load())
            elif isinstance(dataset, FigureFolder) and data:
                saved = dataset.load()
                run.log_samples(name, {key: saved[key]() for key in data})
            elif isinstance(dataset, CSVDataset):
                table, stream = dataset.load() if data is None else data, stream_of(node.func)
                if stream is None:
                    self._log_table(run, name, table)
                else:
                    self._log_rows(run, dataset_name, name, table, stream)
                if has_mark(dataset, "scores"):
                    self._share_scores(dataset_name, table)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline) -> None:
        """Log the artifacts, and finish."""
        for node in pipeline.nodes:
            for name in node.outputs:
                # Another process, whose hooks have no tracker, saved this dataset.
                if name not in self._seen and not self._stopped:
                    self._log(name, None, node)
        self._finish(0)

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Finish as failed; the logged data stays."""
        self._finish(1)

    def _finish(self, exit_code: int) -> None:
        for place, run in self._runs.items():
            with self._stopped_by_errors():
                files = self._files.get(place)
                if files and exit_code == 0 and not self._stopped:
                    run.keep_files(f"{self._case}-{place}", self._local_files(files))
            with self._stopped_by_errors():
                run.finish(exit_code)
        self._runs, self._stopped = {}, True

    def _local_files(self, names: set[str]) -> Iterator[tuple[str, Path]]:
        for name in sorted(names):
            with TemporaryDirectory() as folder:
                path = local_copy(self._catalog.get(name), folder)
                yield f"{name}{path.suffix}", path

    def _place(self, dataset_name: str, stage: str) -> tuple[_Place, str]:
        """The run that a dataset belongs to, and its name there."""
        place, name, parts = _Place(stage), dataset_name, dataset_name.split(".", 2)
        if self._parameters.tracking.runs == "generator" and len(parts) == 3:
            model, generator, rest = parts
            if model in self._layout.models and generator in self._layout.generators:
                # Curves and scores of all generators have the same names, to compare them.
                place, name = _Place(model=model, generator=generator), rest
        # The tracker reads a dot as the path into a dictionary.
        return place, name.replace(".", "/")

    def _run(self, place: _Place) -> TrackedRun:
        if place not in self._runs:
            assert self._tracker is not None, "it is stopped without one"
            name, config = f"{self._case}-{place}", self._config
            if place.generator:
                name = name if len(name) <= _LONGEST_NAME else plain_name(name)
                config = {
                    **config,
                    "model": place.model,
                    "model_settings": config["models"][place.model],
                    "generator": place.generator,
                    "generator_settings": config["generators"][place.generator],
                }
            kind = place.stage or "generator"
            self._runs[place] = self._tracker.start(name, kind, self._group, config)
        return self._runs[place]

    def _log_rows(
        self, run: TrackedRun, dataset_name: str, name: str, table: pd.DataFrame, stream: Stream
    ) -> None:
        """Log each new row as a point of every curve."""
        # Some tables grow by rows; others have one row that changes.
        new = table.iloc[min(self._rows.get(dataset_name, 0), len(table) - 1) :]
        self._rows[dataset_name] = len(table)
        for _, row in new.iterrows():
            run.log_row(name, _numbers(row), stream.step if stream.step in table else None)

    def _log_table(self, run: TrackedRun, name: str, table: pd.DataFrame) -> None:
        """Log a table; the numbers of a table with a single row go to the run's summary too."""
        run.log_table(name, table.astype(object).where(table.notna(), None))
        if len(table) == 1:
            run.summarise(_numbers(table.iloc[0], f"{name}/"))

    def _share_scores(self, dataset_name: str, table: pd.DataFrame) -> None:
        """Give each row of a model's table to the run of its generator."""
        model, _, rest = dataset_name.partition(".")
        for _, row in table.iterrows():
            place, name = self._place(f"{model}.{row['source']}.{rest}", "")
            if place.generator:
                self._run(place).summarise(_numbers(row, f"{name}/"))

    def _stopped_by_errors(self) -> AbstractContextManager[None]:
        return harmless(self._stop)

    def _stop(self, error: BaseException) -> None:
        if not self._stopped:
            logger.warning("Tracking stopped, and the run goes on: %s", error)
        self._stopped = True


def _numbers(row: pd.Series[Any], prefix: str = "") -> Mapping[str, float]:
    """The numbers of a row by the names of their columns."""
    import pandas as pd

    numbers = pd.to_numeric(row, errors="coerce").dropna()
    return {f"{prefix}{column}": float(value) for column, value in numbers.items()}

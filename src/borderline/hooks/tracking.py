"""Tracks runs with Weights & Biases."""

from __future__ import annotations

import importlib
import logging
import os
from contextlib import AbstractContextManager
from datetime import datetime
from io import BytesIO
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from borderline.datasets.buckets import is_bucket, local_copy
from borderline.hooks.marks import has_mark
from borderline.names import LONGEST_PLAIN, name_of_pair, plain_name
from borderline.pipeline_registry import BESIDE, STAGES
from borderline.printing import harmless
from borderline.streaming import Stream, stream_of

if TYPE_CHECKING:
    import pandas as pd

    from borderline.context import BorderlineContext

logger = logging.getLogger(__name__)


class TrackingHooks:
    """Tracks runs with Weights & Biases if it is installed; an error of the tracker stops no run.

    Each stage of a run is a run of the tracker, all in one group: curves and samples during a
    training, then tables and figures, and at the end the marked files as an artifact.
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
        """Remember the names and settings of the tracker's runs."""
        self._parameters = context.checked
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
        self._runs, self._files, self._rows, self._seen = {}, {}, {}, set()
        self._tracker, self._stopped = None, True
        self._catalog, self._process = catalog, os.getpid()
        self._group = f"{self._case}-{datetime.now():%Y%m%d-%H%M%S}"
        if os.environ.get("WANDB_MODE", self._parameters.tracking.mode) == "disabled":
            return
        with self._stopped_by_errors():
            # The tracker's files stay with the results, and it sends no error reports.
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
                logger.info("Nothing is tracked, because wandb is not installed.")
            else:
                self._stopped = False

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
        # The tracker reads a dot as the path into a dictionary.
        name = dataset_name.replace(".", "/")
        with self._stopped_by_errors():
            from borderline.datasets import (
                CSVDataset,
                FigureFolder,
                MatplotlibDataset,
                PlotlyDataset,
            )

            run, dataset = self._run(stage), self._catalog.get(dataset_name)
            if has_mark(dataset, "artifact"):
                self._files.setdefault(stage, set()).add(dataset_name)
            elif isinstance(dataset, PlotlyDataset):
                run.log({name: self._tracker.Plotly(dataset.load() if data is None else data)})
            elif isinstance(dataset, MatplotlibDataset):
                run.log({name: self._image(dataset.load(), name)})
            elif isinstance(dataset, FigureFolder) and data:
                saved = dataset.load()
                run.log({name: [self._image(saved[key](), key) for key in sorted(data)]})
            elif isinstance(dataset, CSVDataset):
                table, stream = dataset.load() if data is None else data, stream_of(node.func)
                if stream is None:
                    self._log_table(run, name, table)
                else:
                    self._log_rows(run, name, table, stream)

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
        for stage, run in self._runs.items():
            with self._stopped_by_errors():
                files = self._files.get(stage)
                if files and exit_code == 0 and not self._stopped:
                    # The tracker allows no blanks and no long names here.
                    name = plain_name(f"{self._case}-{stage}")
                    artifact = self._tracker.Artifact(name, type="results")
                    for name in sorted(files):
                        with TemporaryDirectory() as folder:
                            path = local_copy(self._catalog.get(name), folder)
                            artifact.add_file(str(path), name=f"{name}{path.suffix}")
                    run.log_artifact(artifact)
            with self._stopped_by_errors():
                run.finish(exit_code=exit_code)
        self._runs, self._stopped = {}, True

    def _run(self, stage: str) -> Any:
        if stage not in self._runs:
            settings, environment = self._parameters.tracking, os.environ
            options = {
                "WANDB_MODE": ("mode", settings.mode),
                "WANDB_PROJECT": ("project", settings.project),
                "WANDB_ENTITY": ("entity", settings.entity),
                "WANDB_TAGS": ("tags", list(settings.tags)),
                "WANDB_RUN_GROUP": ("group", self._group),
                "WANDB_DIR": ("dir", str(self._folder)),
            }
            # The tracker prefers arguments to the environment, but the user's environment decides.
            arguments = dict(o for variable, o in options.items() if variable not in environment)
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

    def _log_rows(self, run: Any, name: str, table: pd.DataFrame, stream: Stream) -> None:
        """Log each new row as a point of every curve."""
        import pandas as pd

        if name not in self._rows and stream.step in table:
            run.define_metric(f"{name}/*", step_metric=f"{name}/{stream.step}")
        # Some tables grow by rows; others have one row that changes.
        new = table.iloc[min(self._rows.get(name, 0), len(table) - 1) :]
        self._rows[name] = len(table)
        for _, row in new.iterrows():
            numbers = pd.to_numeric(row, errors="coerce").dropna()
            run.log({f"{name}/{column}": float(value) for column, value in numbers.items()})

    def _log_table(self, run: Any, name: str, table: pd.DataFrame) -> None:
        """Log a table; the numbers of a table with a single row go to the run's summary too."""
        import pandas as pd

        plain = table.astype(object).where(table.notna(), None)
        run.log({name: self._tracker.Table(dataframe=plain, allow_mixed_types=True)})
        if len(table) == 1:
            numbers = pd.to_numeric(table.iloc[0], errors="coerce").dropna()
            run.summary.update({f"{name}/{column}": float(x) for column, x in numbers.items()})

    def _image(self, content: bytes, caption: str) -> Any:
        from PIL import Image

        return self._tracker.Image(Image.open(BytesIO(content)), caption=caption)

    def _stopped_by_errors(self) -> AbstractContextManager[None]:
        return harmless(self._stop)

    def _stop(self, error: BaseException) -> None:
        if not self._stopped:
            logger.warning("Tracking stopped, and the run goes on: %s", error)
        self._stopped = True

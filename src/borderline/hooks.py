"""What happens around the nodes: checks, progress, tracking, the closing table, the gate."""

from __future__ import annotations

import importlib
import inspect
import logging
import math
import operator
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import rich
import torch
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from borderline import ledger, threads
from borderline.context import BorderlineContext
from borderline.datasets import (
    CSVDataset,
    JSONDataset,
    MatplotlibDataset,
    PickleDataset,
    PlotlyDataset,
    TextDataset,
)
from borderline.datasets.buckets import (
    address_of,
    check_bucket,
    folder_of,
    is_bucket,
    local_copy,
)
from borderline.datasets.image_source import SourceImages
from borderline.datasets.tensors import digest
from borderline.errors import GateClosed
from borderline.grid import GIVEN_STEP_1
from borderline.pipeline_registry import BESIDE, STAGES
from borderline.pipelines.gate.limits import verdict
from borderline.preflight.checkpoints import check_checkpoints, check_given_step_1
from borderline.preflight.images import check_same_images, check_source
from borderline.preflight.imports import check_imports, digests_of_imports
from borderline.preflight.inputs import (
    check_data_folder,
    check_inputs,
    check_judges,
    check_other_run,
    check_pairing,
    check_study_storage,
)

logger = logging.getLogger(__name__)
_WIDTH_OF_LOGS = 120
# What counts how far a streaming node is, and so need not be shown beside the bar.
_COUNTS = ("epoch", "images")
# What numbers the rows of a table from 0.
_NUMBERS = ("trial", "repeat")
_NOT_LIVE = (*_COUNTS, *_NUMBERS, "band", "note")
# Saved together with the table that the bar follows.
_BESIDE = ".combinations"
# Where a streaming node's number of steps is, by the node's name.
_TOTALS = {
    "train_classifier": ("classifier", "epochs"),
    "train_judge": ("judge", "epochs"),
    "train_gan": ("gan", "epochs"),
    "train_generator": ("generators.", "epochs"),
    "search_clusters": ("clustering", "trials"),
    "repeat_patterns": ("prototypes", "validation.repeats"),
}
# What a run ends with, by the last part of the name.
_ARTIFACTS = ("classifier", "generator", "findings", "model_card", "report", "comparison")
_LOOKED_AT = (CSVDataset, JSONDataset, MatplotlibDataset, PickleDataset, PlotlyDataset, TextDataset)
_PAGES = ("report", "comparison")


class PreflightHooks:
    """Finds bad input before any work starts, and keeps the ledger of what was made with what."""

    @hook_impl
    def after_context_created(self, context: BorderlineContext) -> None:
        """Remember what the checks need to know."""
        self.parameters = context.checked
        self.about, self.layout = context.about, context.layout
        folder = context.about.data_folder
        self.data_folder = folder if is_bucket(folder) else str(context.project_path / folder)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Check device, inputs, settings, data folder and images; then open the ledger."""
        self.parameters.run.torch_device()
        if is_bucket(self.data_folder):
            check_bucket(catalog, self.data_folder)
        env = run_params["env"]
        command = f"kedro run{f' --env {env}' if env else ''}"
        named = run_params["pipeline_names"] or []
        requested = [name for name in named if name != "__default__"]
        stages = self._stages() | {name: pipelines[name] for name in BESIDE if name in requested}
        settings = self.parameters.model_dump(mode="json")
        check_pairing(self.layout.pairing, requested)
        check_other_run(catalog, pipeline, self.parameters)
        check_given_step_1(catalog, self.parameters, self.about)
        check_inputs(pipeline, catalog, stages, requested, command)
        if not is_bucket(self.data_folder):
            check_data_folder(Path(self.data_folder))
        imports = digests_of_imports(catalog, self.parameters, self.layout, pipeline)
        check_checkpoints(catalog, self.parameters, self.layout, imports)
        check_judges(catalog, pipeline)
        check_study_storage(pipeline, self.about)
        book: ledger.Ledger = catalog.load("ledger") if catalog.exists("ledger") else {}
        self._given = {GIVEN_STEP_1: self.about.step_1_checkpoints, **imports}
        self._running = self._that_run(run_params, pipeline, catalog)
        ledger.check(book, stages, self._running, settings, command, self._given)
        entries = ledger.opened(book, stages, self._running)
        if "source" in pipeline.inputs():
            source: SourceImages = catalog.load("source")
            check_source(source, self.parameters)
            check_imports(catalog, pipeline, source, self.parameters, self.layout)
            parts = [part for part in (source.train, source.test) if part is not None]
            found = digest(*(tensor for part in parts for tensor in part.values()))
            former = ledger.entry(book, ledger.SOURCE)
            check_same_images(found, former, self.data_folder)
            entries |= {ledger.SOURCE: {"digest": found}}
        catalog.save("ledger", entries)

    @hook_impl
    def after_pipeline_run(self, catalog: DataCatalog) -> None:
        """Enter the nodes, which ran to their end."""
        settings = self.parameters.model_dump(mode="json")
        catalog.save("ledger", ledger.closed(self._running, settings, self._given))

    @staticmethod
    def _that_run(run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> Pipeline:
        if not run_params["only_missing_outputs"]:
            return pipeline
        # The runner leaves these out later, and the ledger must not say that they ran.
        missing = [n for n in pipeline.nodes if not all(map(catalog.exists, n.outputs))]
        return Pipeline(missing)

    @staticmethod
    def _stages() -> dict[str, Pipeline]:
        return {name: pipelines[name] for name in STAGES}


class ThreadHooks:
    """Keeps the number of threads, on which the last bits of results depend."""

    def __init__(self) -> None:
        self._threads: int | None = None

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Say how many threads the processes get, where there will be some."""
        self._threads = None
        if "ParallelRunner" in run_params["runner"]:
            threads.prepare_pool()

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        """Set the number of threads: to its share where this process is one of several.

        Else to what it was at the first node, for UMAP raises it for the whole process.
        """
        if threads.is_one_of_several():
            threads.keep_to_share()
            return
        self._threads = self._threads or torch.get_num_threads()
        torch.set_num_threads(self._threads)


class ProgressHooks:
    """A progress bar for every node that streams its results, with the figures of the last one.

    Where nodes run in other processes, several at a time, each says a line in place of its bar.
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._process: int | None = None
        self._said = ""

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Remember whose terminal it is."""
        self._process = os.getpid()

    @hook_impl
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> None:
        """Start a bar."""
        self._stop()
        total = _total(node, inputs)
        if total is None:
            return
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=rich.get_console(),
            disable=not self._has_a_bar(),
        )
        self._progress.add_task(node.name, total=total, figures="")
        self._progress.start()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Move the bar on, to the last row of the table that was just saved."""
        if self._progress is None or not isinstance(data, pd.DataFrame) or data.empty:
            return
        if dataset_name.endswith(_BESIDE):
            return
        figures, total = _figures(data), self._progress.tasks[0].total
        done = next((int(data[n].iloc[-1]) for n in _COUNTS if n in data), len(data))
        done = next((int(data[n].iloc[-1]) + 1 for n in _NUMBERS if n in data), done)
        self._progress.update(self._progress.task_ids[0], completed=done, figures=figures)
        if not self._has_a_bar():
            logger.info("%s %d/%d %s", node.name, done, total, figures)
        note = data["note"].iloc[-1] if dataset_name.endswith(".outcome") else ""
        if note and note != self._said:
            logger.warning("%s: %s.", node.name, note)
        self._said = note

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Remove the bar."""
        self._stop()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Remove the bar."""
        self._stop()

    def _has_a_bar(self) -> bool:
        return self._process == os.getpid() and rich.get_console().is_terminal

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class SummaryHooks:
    """Ends a run with one table, and says where the pages and the pictures are."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the summary, if this run made one, and the page that it wrote."""
        made = pipeline.all_outputs()
        console = rich.get_console()
        if not console.is_terminal:
            console = Console(width=_WIDTH_OF_LOGS)
        if "summary" in made:
            console.print(_summary_table(catalog.load("summary")))
            every = [catalog.get(name) for name in sorted(made)]
            pictures = [one for one in every if isinstance(one, MatplotlibDataset)]
            folders = {folder_of(picture) for picture in pictures}
            console.print("Pictures:", *sorted(folders), sep="\n  ")
        for name in _PAGES:
            if name in made:
                page = address_of(catalog.get(name))
                console.print(f"{name.capitalize()}:\n  {page}", soft_wrap=True)


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
            **context.checked.model_dump(mode="json", exclude={"tracking", "pairing"}),
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


class GateHooks:
    """Ends a run with an exit status of its own where a model breaks a limit."""

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Say what holds and what does not.

        Raises:
            GateClosed: When something does not.
        """
        if "gate" not in pipeline.all_outputs():
            return
        table: pd.DataFrame = catalog.load("gate")
        for _, row in table.iterrows():
            logger.info("%s %s.", "Holds:" if row["holds"] else "BROKEN:", row["says"])
        said = verdict(table)
        if said:
            raise GateClosed(said)


def _total(node: Node, inputs: dict[str, Any]) -> int | None:
    """How many steps a node has; from its inputs, which are all that other processes know."""
    name = node.name.rpartition(".")[-1]
    settings, path = _TOTALS.get(name, ("", ""))
    if any(output.endswith(".outcome") for output in node.outputs):
        settings, path = "generation", "images"
    for own, value in inputs.items():
        if settings and own.startswith(f"params:{settings}"):
            return int(operator.attrgetter(path)(value))
    return None


def _are_figures(data: Any) -> bool:
    return isinstance(data, dict) and bool(data) and isinstance(next(iter(data.values())), Figure)


def _summary_table(summary: pd.DataFrame) -> Table:
    table = Table(title="What the run found")
    shown = {
        "model": "{}",
        "generator": "{}",
        "accuracy": "{:.1%}",
        "yield": "{:.1%}",
        "acd": "{:.3f}",
        "fd_lenet": "{:.1f}",
        "fd_lenet_borderline": "{:.1f}",
        "silhouette": "{:.2f}",
        "stability": "{:.2f}",
        "prototypes": "{}",
    }
    for column in shown:
        table.add_column(column.replace("_", " "), justify="right", overflow="fold")
    for _, row in summary.iterrows():
        cells = [_cell(row[column], form) + _equal_n(row, column) for column, form in shown.items()]
        table.add_row(*cells)
    said = {"note": "{} has no prototypes: {}.", "doubts": "The patterns of {} in doubt: {}."}
    why = [
        sentence.format(row["model"], row[column])
        for column, sentence in said.items()
        for _, row in summary[summary[column].fillna("") != ""].iterrows()
    ]
    if why:
        table.caption, table.caption_justify = "\n".join(why), "left"
    return table


def _equal_n(row: pd.Series, column: str) -> str:
    return f"\nN={row[f'{column}_n']:.0f}" if pd.notna(row.get(f"{column}_n")) else ""


def _cell(value: Any, form: str) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "-" if missing else form.format(value)


def _figures(table: pd.DataFrame) -> str:
    if "trial" in table:
        return f"best={table['objective'].max():.3g}"
    last = table.iloc[-1]
    return " ".join(
        f"{name}={last[name]:.3g}"
        for name in table.columns
        if name not in _NOT_LIVE and pd.notna(last[name])
    )

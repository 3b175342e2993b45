"""Shows how far a streaming node is."""

from __future__ import annotations

import logging
import operator
import os
from typing import Any

import pandas as pd
import rich
from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)


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


def _figures(table: pd.DataFrame) -> str:
    if "trial" in table:
        return f"best={table['objective'].max():.3g}"
    last = table.iloc[-1]
    return " ".join(
        f"{name}={last[name]:.3g}"
        for name in table.columns
        if name not in _NOT_LIVE and pd.notna(last[name])
    )

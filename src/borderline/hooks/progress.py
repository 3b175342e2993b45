"""Shows the progress of streaming nodes."""

from __future__ import annotations

import inspect
import logging
import os
from numbers import Integral
from typing import TYPE_CHECKING, Any

import rich
from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

from borderline.printing import harmless, not_shown
from borderline.streaming import Stream, stream_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import Progress

logger = logging.getLogger(__name__)


# Columns that are the same in every row of a history.
_CONSTANT = ("images", "band")
_WHOLE = 1000


class ProgressHooks:
    """A progress bar for every streaming node, with the numbers of its last row.

    Where nodes run in other processes, several at a time, each logs a line instead.
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._stream: Stream | None = None
        self._process: int | None = None
        self._warning = ""

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Remember the process that has the terminal."""
        self._process = os.getpid()

    @hook_impl
    @harmless(not_shown)
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> None:
        """Start a bar."""
        self.after_pipeline_run()
        self._stream, self._warning = stream_of(node.func), ""
        if self._stream is None:
            return
        self._progress = _bar(disable=not self._has_a_bar())
        args, kwargs = node._process_inputs_for_bind(node._inputs)
        datasets = inspect.signature(node.func).bind(*args, **kwargs).arguments
        parameters = inspect.signature(self._stream.total).parameters
        total = self._stream.total(**{name: inputs[datasets[name]] for name in parameters})
        self._progress.add_task(node.name, total=total, numbers="")
        self._progress.start()

    @hook_impl
    @harmless(not_shown)
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Move the bar to the last row of the table that was just saved."""
        stream = self._stream
        if self._progress is None or stream is None or not dataset_name.endswith(stream.table):
            return
        if data.empty:
            return
        numbers, task = _numbers(data, stream), self._progress.tasks[0]
        done, total = int(data[stream.step].iloc[-1]) + 1 - stream.first, task.total
        if stream.step == "images" and task.elapsed:
            numbers += f" {_short(done / task.elapsed)} images/s"
        self._progress.update(self._progress.task_ids[0], completed=done, numbers=numbers)
        if not self._has_a_bar():
            logger.info("%s %d/%d %s", node.name, done, total, numbers)
        warning = data[stream.warning].iloc[-1] if stream.warning else ""
        if warning and warning != self._warning:
            logger.warning("%s: %s.", node.name, warning)
        self._warning = warning

    @hook_impl
    @harmless(not_shown)
    def after_pipeline_run(self) -> None:
        """Remove the bar."""
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.stop()

    on_pipeline_error = after_pipeline_run

    def _has_a_bar(self) -> bool:
        return self._process == os.getpid() and rich.get_console().is_terminal


def _bar(*, disable: bool) -> Progress:
    from rich import progress

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=20),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[numbers]}"),
        console=rich.get_console(),
        disable=disable,
    )


def _numbers(table: pd.DataFrame, stream: Stream) -> str:
    """The numbers that stand beside the bar."""
    if stream.best is not None:
        return f"best={table[stream.best].max():.3g}"
    numbers = table.select_dtypes("number").drop(columns=[stream.step, *_CONSTANT], errors="ignore")
    latest = numbers.tail(1).dropna(axis=1)
    shown = [f"{name}={_short(column.item())}" for name, column in latest.items()]
    return " ".join(([str(table[stream.named].iloc[-1])] if stream.named else []) + shown)


def _short(number: float) -> str:
    """A number with three digits, from 1,000 on a whole one.

    Example:
        >>> _short(0.12345), _short(40000), _short(1234.5)
        ('0.123', '40,000', '1,234')
    """
    whole = isinstance(number, Integral) or abs(number) >= _WHOLE
    return f"{number:,.0f}" if whole else f"{number:.3g}"

"""Ends a run: the summary table, the paths of the pages, the gate."""

from __future__ import annotations

import logging
import math
from typing import Any

import pandas as pd
import rich
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from rich.console import Console
from rich.table import Table

from borderline.datasets import MatplotlibDataset
from borderline.datasets.buckets import address_of, folder_of
from borderline.errors import GateClosed
from borderline.pipelines.gate.limits import verdict

logger = logging.getLogger(__name__)


_WIDTH_OF_LOGS = 120
_PAGES = ("report", "comparison")


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

"""Ends a run: the summary table, the paths of the pages, the gate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import rich
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from rich.console import Console, Group
from rich.table import Table

from borderline.datasets.buckets import address_of, folder_of
from borderline.errors import GateClosed
from borderline.hooks.marks import has_mark
from borderline.printing import harmless, not_shown, table_of, text_of

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


_WIDTH_OF_LOGS = 120
_COLUMNS = {
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
_SENTENCES = {
    "note": "{} has no prototypes: {}.",
    "doubts": "Doubts about the patterns of {}: {}.",
}


class SummaryHooks:
    """Ends a run with one table and the places of the pages and the pictures."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the summary, if this run made one, and the address of each page."""
        outputs = {name: catalog.get(name) for name in sorted(pipeline.all_outputs())}
        console = rich.get_console()
        if not console.is_terminal:
            console = Console(width=_WIDTH_OF_LOGS)
        for name, dataset in outputs.items():
            if has_mark(dataset, "summary"):
                with harmless(not_shown):
                    console.print(_summary(catalog.load(name), console))
                with harmless(not_shown):
                    # A run of the report alone makes none.
                    if folders := _folders(outputs.values()):
                        lines = map(text_of, folders)
                        console.print("Pictures:", *lines, sep="\n  ", soft_wrap=True)
        for name, dataset in outputs.items():
            if has_mark(dataset, "page"):
                place = f"{_title(name)}:\n  {address_of(dataset)}"
                with harmless(not_shown):
                    console.print(text_of(place), soft_wrap=True)


class GateHooks:
    """Ends a run with its own exit status if a model breaks a limit."""

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Log each limit; raise :class:`GateClosed` when one does not hold."""
        for name in pipeline.all_outputs():
            if not has_mark(catalog.get(name), "gate"):
                continue
            from borderline.pipelines.gate.limits import verdict

            table: pd.DataFrame = catalog.load(name)
            for _, row in table.iterrows():
                logger.info("%s %s.", "Holds:" if row["holds"] else "BROKEN:", row["says"])
            broken = verdict(table)
            if broken:
                raise GateClosed(broken)


def _title(name: str) -> str:
    """The name of a page in words: ``Report``, ``Rating page of cnn_2``."""
    model, _, page = name.rpartition(".")
    words = page.replace("_", " ").capitalize()
    return f"{words} of {model}" if model else words


def _folders(datasets: Any) -> list[str]:
    """The folders of all pictures."""
    from borderline.datasets import MatplotlibDataset

    return sorted({folder_of(one) for one in datasets if isinstance(one, MatplotlibDataset)})


def _summary(summary: pd.DataFrame, console: Console) -> Group:
    """The table with a row for each model, or columns where rows do not fit; then sentences.

    No name is broken: a table of columns has no more models than fit.
    """
    cells = [[_cell(row, column) for column in _COLUMNS] for _, row in summary.iterrows()]
    heads = [column.replace("_", " ") for column in _COLUMNS]
    table, fits = table_of(heads, cells, console, right=True)
    tables = [table]
    if not fits:
        # The N of a score stands beside it.
        columns = [[text.replace("\n", ", ") for text in of_model] for of_model in cells]
        tables = _by_columns(heads, columns, console)
    tables[0].title = "Results by model"
    sentences = [
        text_of(sentence.format(row["model"], row[column]))
        for column, sentence in _SENTENCES.items()
        for _, row in summary[summary[column] != ""].iterrows()
    ]
    return Group(*tables, *sentences)


def _by_columns(heads: list[str], columns: list[list[str]], console: Console) -> list[Table]:
    """Tables with a column for each model, as many in each as fit."""
    tables: list[Table] = []
    shown: list[list[str]] = []
    for column in columns:
        table, fits = _transposed(heads, [*shown, column], console)
        if not fits and shown:
            shown = []
            table, _ = _transposed(heads, [column], console)
            tables.append(table)
        elif shown:
            tables[-1] = table
        else:
            tables.append(table)
        shown.append(column)
    return tables


def _transposed(heads: list[str], columns: list[list[str]], console: Console) -> tuple[Table, bool]:
    first, *rows = zip(heads, *columns, strict=True)
    return table_of(first, rows, console, right=True)


def _cell(row: pd.Series, column: str) -> str:
    """A score with the number of images that it is from, where the table has it."""
    import pandas as pd

    score, count = row[column], row.get(f"{column}_n")
    shown = "-" if pd.isna(score) else _COLUMNS[column].format(score)
    return f"{shown}\nN={count:.0f}" if pd.notna(count) else shown

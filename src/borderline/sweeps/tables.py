"""The results of a sweep: a table of all rows, a table over the seeds, and a figure."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from borderline.datasets import CSVDataset
from borderline.ledger import changed_file
from borderline.measures.plots import cluster_colour, cluster_marker
from borderline.printing import table_of
from borderline.sweeps.plan import Plan
from borderline.sweeps.state import Record, State

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_ROW = ["pair", "model", "generator", "seed"]
_STATUS = ["status", "failed"]
_OVER_SEEDS = ("yield", "acd", "fd_lenet", "fd_classifier", "fid", "fd_lenet_borderline")
SHOWN = ("yield", "acd", "fd_lenet")
"""The scores that the command prints."""
_TITLE = "Mean over the seeds ± standard deviation"
_PANEL = 3.2


def gather(plan: Plan, state: State) -> pd.DataFrame:
    """A row for each pair, model, generator and seed of all finished sweep runs.

    Returns:
        The names of a row; ``status`` (``done``, ``failed`` or ``left out``) and its reason in
        ``failed``; the columns of ``leaderboard.csv``; and for the chosen generator the columns of
        ``summary.csv``, with ``note`` as ``summary_note``.
    """
    rows = [row for record in state.records.values() for row in _rows(plan, record)]
    table = pd.DataFrame(rows)
    first = [*_ROW, *_STATUS]
    return table[[*first, *(column for column in table if column not in first)]]


def joined(plans: Sequence[Plan]) -> pd.DataFrame:
    """The tables of several environments as they are on the disk, with the ``environment``."""
    tables = []
    for plan in plans:
        file = CSVDataset(filepath=str(plan.folder / "results.csv"))
        if file.exists():
            table = file.load()
            table.insert(0, "environment", plan.env)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds, for each pair, model and generator.

    Returns:
        The number of ``seeds`` that are done, the share of them in which the generator was
        ``chosen``, and for each score its mean and, from two seeds on, its standard deviation.
    """
    columns = [name for name in _OVER_SEEDS if name in table]
    groups = table.groupby(_ROW[:-1], sort=False)
    result = groups["status"].agg(seeds=lambda status: int((status == "done").sum()))
    if "chosen" in table:
        result["chosen"] = groups["chosen"].agg(lambda chosen: chosen.dropna().astype(float).mean())
    for name in columns:
        result[name] = groups[name].mean()
        result[f"{name}_sd"] = groups[name].std()
    return result.reset_index()


def picture(table: pd.DataFrame) -> Figure:
    """Yield against realism: a panel for each pair and model, a point for each seed."""
    done = table[table["status"] == "done"]
    panels = list(done.groupby(["pair", "model"], sort=False))
    pairs, models = list(done["pair"].unique()), list(done["model"].unique())
    size = (_PANEL * len(models) + 1.6, _PANEL * len(pairs))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(pairs), len(models), squeeze=False, sharex=True)
    generators = list(table["generator"].unique())
    for (pair, model), rows in panels:
        ax = axes[pairs.index(pair)][models.index(model)]
        ax.set_title(f"{pair}, {model}")
        for generator, points in rows.groupby("generator", sort=False):
            place = generators.index(generator)
            style = {"color": cluster_colour(place), "marker": cluster_marker(place)}
            ax.scatter(points["fd_lenet"], points["yield"], label=generator, **style)
        ax.set_ylim(-0.03, 1.03)
    for ax in axes[-1]:
        ax.set_xlabel("fd_lenet, lower is more realistic")
    for row in axes:
        row[0].set_ylabel("yield")
    known = {
        label: handle
        for ax in axes.flat
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    title = "one point per seed"
    figure.legend(known.values(), known.keys(), loc="outside right upper", title=title)
    return figure


def changed_table(plan: Plan, record: Record) -> Path | None:
    """A changed table of a finished sweep run; None if all are unchanged.

    A damaged entry of the ledger stands for its tables.
    """
    from borderline.datasets.digests import digests_of

    reporting = plan.reporting(record.sweep_run)
    entries = plan.data_folder(record.sweep_run) / "06_models" / reporting.name / "ledger"
    for model in record.finished:
        made: dict[str, Any] = {}
        for file in sorted(entries.glob(f"{glob.escape(model)}.*.json")):
            try:
                made |= json.loads(file.read_text()).get("results", {})
            except (ValueError, AttributeError, TypeError):
                return file
        for name in ("leaderboard", "summary"):
            table = reporting / model / f"{name}.csv"
            now = digests_of(CSVDataset(filepath=str(table)))
            if changed_file(made.get(f"{model}.{name}_table"), now):
                return table
    return None


def _rows(plan: Plan, record: Record) -> list[dict[str, Any]]:
    rows = []
    for model in plan.models:
        finished = record.finished.get(model, ())
        scores = _scores(plan.reporting(record.sweep_run) / model) if finished else {}
        for entry, generators in plan.generators.items():
            for generator in generators:
                row: dict[str, Any] = dict(
                    zip(_ROW, (record.sweep_run.pair, model, generator, record.seed), strict=True)
                )
                if entry in finished:
                    row |= {"status": "done", "failed": "", **scores.get(generator, {})}
                else:
                    row |= _why_not(record, model, entry)
                rows.append(row)
    return rows


def _why_not(record: Record, model: str, entry: str) -> dict[str, str]:
    """The failure of a row, the nearest first; without one, its starting generator failed."""
    for scope in ((model, entry), (model, None), (None, entry), (None, None)):
        for failure in record.failures:
            if (failure.model, failure.generator) == scope:
                return {"status": "failed", "failed": failure.says}
    return {"status": "left out", "failed": "It continues from a generator that failed."}


def _scores(folder: Path) -> dict[str, dict[Any, Any]]:
    """The scores of a model's generators, by name."""
    path = folder / "leaderboard.csv"
    if not path.exists():
        return {}
    board = pd.read_csv(path, dtype={"note": str}).set_index("source")
    scores = {str(name): row.to_dict() for name, row in board.iterrows()}
    if (folder / "summary.csv").exists():
        summary = pd.read_csv(folder / "summary.csv", dtype={"note": str, "doubts": str})
        for row in summary.rename(columns={"note": "summary_note"}).to_dict("records"):
            known = scores[row["generator"]]
            known |= {name: value for name, value in row.items() if name not in (*known, *_ROW)}
    return scores


def for_console(means: pd.DataFrame, console: Console) -> Table:
    """The table of ``over_seeds`` with the scores of ``SHOWN``.

    Pair, model and generator stand below each other where they do not fit beside each other.
    """
    heads, rows = [*_ROW[:-1], "seeds"], means[[*_ROW[:-1], "seeds"]].astype(str)
    scores = [[cell(row, name) for name in SHOWN] for _, row in means.iterrows()]
    shown = [name.replace("_", " ") for name in SHOWN]

    def table(names: list[list[str]]) -> tuple[Table, bool]:
        first, *rest = names
        cells = [[*of_row, *of_scores] for of_row, of_scores in zip(rest, scores, strict=True)]
        return table_of([*first, *shown], cells, console, title=_TITLE)

    names = [heads, *rows.to_numpy().tolist()]
    wide, fits = table(names)
    return wide if fits else table([["\n".join(row[:-1]), row[-1]] for row in names])[0]


def cell(row: pd.Series, name: str) -> str:
    """A score with its standard deviation, for the printed table; a dash for none."""
    mean, spread = row.get(name), row.get(f"{name}_sd")
    if mean is None or pd.isna(mean):
        return "-"
    return f"{mean:.3g}" if spread is None or pd.isna(spread) else f"{mean:.3g} ± {spread:.2g}"

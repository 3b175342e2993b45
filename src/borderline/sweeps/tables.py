"""What a sweep found: one table of all rows, one over the seeds, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from borderline.measures.plots import cluster_colour, cluster_marker
from borderline.sweeps.plan import Plan
from borderline.sweeps.state import Record, State

_ROW = ["pair", "model", "generator", "seed"]
_STATUS = ["status", "failed"]
_OVER_SEEDS = ("yield", "acd", "fd_lenet", "fd_classifier", "fid", "fd_lenet_borderline")
SHOWN = ("yield", "acd", "fd_lenet")
"""Of the figures, those that the command prints."""
_PANEL = 3.2


def gather(plan: Plan, state: State) -> pd.DataFrame:
    """A row for each pair, model, generator and seed of all cases that ended.

    Args:
        plan: The sweep.
        state: Its cases.

    Returns:
        The names of a row; ``status``, ``done``, ``failed`` or ``left out``, and why in ``failed``;
        the columns of ``leaderboard.csv``; and those of ``summary.csv`` for the chosen generator,
        whose ``note`` is ``summary_note``.
    """
    rows = [row for record in state.records.values() for row in _rows(plan, record)]
    table = pd.DataFrame(rows)
    first = [*_ROW, *_STATUS]
    return table[[*first, *(column for column in table if column not in first)]]


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds, for each pair, model and generator.

    Args:
        table: What :func:`gather` gives.

    Returns:
        ``seeds`` that are done, the share of them in which the generator was chosen, and for each
        figure its mean and, from two seeds on, its standard deviation.
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
    """Yield against realism: a panel for each pair and model, a point for each seed.

    Args:
        table: What :func:`gather` gives.
    """
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
        for generator, own in rows.groupby("generator", sort=False):
            place = generators.index(generator)
            style = {"color": cluster_colour(place), "marker": cluster_marker(place)}
            ax.scatter(own["fd_lenet"], own["yield"], label=generator, **style)
        ax.set_ylim(-0.03, 1.03)
    for ax in axes[-1]:
        ax.set_xlabel("fd_lenet, lower is more real")
    for row in axes:
        row[0].set_ylabel("yield")
    known = {
        label: handle
        for ax in axes.flat
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(known.values(), known.keys(), loc="outside right upper", title="a point a seed")
    return figure


def _rows(plan: Plan, record: Record) -> list[dict[str, Any]]:
    rows = []
    for model in plan.models:
        finished = record.finished.get(model, ())
        figures = _figures(plan.reporting(record.case) / model) if finished else {}
        for entry, generators in plan.generators.items():
            for generator in generators:
                row: dict[str, Any] = dict(
                    zip(_ROW, (record.case.pair, model, generator, record.seed), strict=True)
                )
                if entry in finished:
                    row |= {"status": "done", "failed": "", **figures.get(generator, {})}
                else:
                    row |= _why_not(record, model, entry)
                rows.append(row)
    return rows


def _why_not(record: Record, model: str, entry: str) -> dict[str, str]:
    """The failure of a row, the nearest first; else it is left out with what it goes on from."""
    for scope in ((model, entry), (model, None), (None, None)):
        for failure in record.failures:
            if (failure.model, failure.generator) == scope:
                return {"status": "failed", "failed": failure.says}
    return {"status": "left out", "failed": "It goes on from a generator that failed."}


def _figures(folder: Path) -> dict[str, dict[Any, Any]]:
    """The figures of a model's generators, by name."""
    path = folder / "leaderboard.csv"
    if not path.exists():
        return {}
    board = pd.read_csv(path, dtype={"note": str}).set_index("source")
    figures = {str(name): row.to_dict() for name, row in board.iterrows()}
    if (folder / "summary.csv").exists():
        summary = pd.read_csv(folder / "summary.csv", dtype={"note": str, "doubts": str})
        for row in summary.rename(columns={"note": "summary_note"}).to_dict("records"):
            own = figures[row["generator"]]
            own |= {name: value for name, value in row.items() if name not in (*own, *_ROW)}
    return figures


def cell(row: pd.Series, name: str) -> str:
    """A figure with its spread, in words as short as may be; a dash for none."""
    mean, spread = row.get(name), row.get(f"{name}_sd")
    if mean is None or pd.isna(mean):
        return "-"
    return f"{mean:.3g}" if spread is None or pd.isna(spread) else f"{mean:.3g} ± {spread:.2g}"

"""The results of all pairs: a table, and heat maps of classes by classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from borderline.findings import VERDICTS
from borderline.measures.class_names import in_figure
from borderline.sweeps.plan import Plan, SweepRun
from borderline.sweeps.state import State

_SCORES = ("yield", "acd", "fd_lenet")
_SIDES = ("positive_errors", "negative_errors")
_NAME = 14  # characters of a line beside a heat map
_CELL = 0.52  # inches
_SMALLEST = 3.4
_FAILED = "x"
_DARK = 0.6


def pair_table(plan: Plan, state: State, table: pd.DataFrame) -> pd.DataFrame:
    """A row for each pair and model: means over the seeds.

    Args:
        plan: The sweep.
        state: Its finished sweep runs.
        table: The table of ``gather``.

    Returns:
        ``pair``; ``positive`` and ``negative``, the names of the classes; ``model``; ``seeds``, the
        number of seeds with results; ``generator``, the chosen ones; ``yield``, ``acd`` and
        ``fd_lenet`` of the chosen generator; ``errors``, the share of wrong test images;
        ``positive_errors`` and ``negative_errors``, the same of one class; for each verdict its
        share of the borderline images; ``failed``, the reason where no seed has results.
    """
    runs: dict[str, list[SweepRun]] = {}
    for run in plan.sweep_runs:
        runs.setdefault(run.pair, []).append(run)
    rows = []
    for pair, of_pair in runs.items():
        positive, negative = (plan.classes[label] for label in plan.labels[pair])
        for model in plan.models:
            measured = [
                _measured(plan, run, model, table)
                for run in of_pair
                if run.name in state.records and model in state.records[run.name].finished
            ]
            row: dict[str, Any] = {"pair": pair, "positive": positive, "negative": negative}
            row |= {"model": model, "seeds": len(measured)}
            row["generator"] = ", ".join(dict.fromkeys(m.pop("generator") for m in measured))
            row |= dict.fromkeys((*_SCORES, "errors", *_SIDES, *VERDICTS), math.nan)
            means: Any = pd.DataFrame(measured).mean().to_dict() if measured else {}
            row |= means
            row["failed"] = "" if measured else _reason(of_pair, model, table)
            rows.append(row)
    return pd.DataFrame(rows)


def draw_matrix(plan: Plan, table: pd.DataFrame, model: str) -> Figure:
    """Heat maps of yield, errors and verdicts of a model, from ``pair_table``.

    Rows and columns are the classes of the pairs. A cell is the pair of its row and column; in the
    map of errors it is the share of the row's class that the model takes for the column's.
    """
    rows = table[table["model"] == model]
    labels = sorted({label for pair in rows["pair"] for label in plan.labels[pair]})
    side = max(_SMALLEST, _CELL * len(labels) + 1.3)
    panels = {"yield": "Yield of the chosen generator", "errors": "Errors on test images"}
    panels |= {name: f"Verdict: {said.lower()}" for name, said in VERDICTS.items()}
    figure = Figure(figsize=(4 * side, 2 * side), layout="constrained")
    cross = f"; {_FAILED}: failed" if rows["failed"].any() else ""
    figure.suptitle(f"{model}: pairs of classes, in %{cross}")
    names = [in_figure(plan.classes[label], _NAME) for label in labels]
    for ax, (column, title) in zip(figure.subplots(2, 4).flat, panels.items(), strict=True):
        values = np.full((len(labels), len(labels)), math.nan)
        failed = np.zeros(values.shape, dtype=bool)
        for _, row in rows.iterrows():
            i, j = (labels.index(label) for label in plan.labels[row["pair"]])
            ends = _SIDES if column == "errors" else (column, column)
            values[i, j], values[j, i] = row[ends[0]], row[ends[1]]
            failed[i, j] = failed[j, i] = bool(row["failed"])
        # Errors are rare, so their colours have a scale of their own.
        top = float(np.nanmax(values, initial=0.01)) if column == "errors" else 1.0
        _heat_map(ax, values, failed, names, top)
        ax.set_title(title)
        if column == "errors":
            ax.set(xlabel="taken for", ylabel="test images of")
    return figure


def _heat_map(
    ax: Axes, values: np.ndarray, failed: np.ndarray, names: list[str], top: float
) -> None:
    """Percentages in cells; a cross where a pair failed, nothing where there is no pair."""
    ax.imshow(values, cmap="Blues", vmin=0, vmax=top)
    ax.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
    ax.set_yticks(range(len(names)), names)
    for (i, j), value in np.ndenumerate(values):
        text = _FAILED if failed[i, j] else "" if math.isnan(value) else _percent(value)
        colour = "white" if not math.isnan(value) and value > _DARK * top else "black"
        ax.text(j, i, text, ha="center", va="center", color=colour, fontsize=9)


def _percent(share: float) -> str:
    """A percentage with one decimal below 9.95."""
    percent = 100 * share
    return f"{percent:.0f}" if percent >= 9.95 or percent == 0 else f"{percent:.1f}"


def _measured(plan: Plan, run: SweepRun, model: str, table: pd.DataFrame) -> dict[str, Any]:
    """The numbers of a finished model of a sweep run; NaN where its stages have none."""
    of_run = (table["pair"] == run.pair) & (table["seed"] == run.seed) & (table["model"] == model)
    rows = table[of_run]
    chosen = rows[rows["chosen"].eq(True)] if "chosen" in table else rows[:0]
    folder = plan.reporting(run) / model
    result: dict[str, Any] = {"generator": "".join(chosen["generator"])}
    result |= {n: chosen[n].iloc[0] for n in _SCORES if len(chosen) and n in chosen}
    scores = pd.read_csv(folder / "classifier_scores.csv").iloc[0]
    wrong_positive, wrong_negative = scores["false_negative"], scores["false_positive"]
    result["errors"] = (wrong_positive + wrong_negative) / scores["test_images"]
    result["positive_errors"] = wrong_positive / (wrong_positive + scores["true_positive"])
    result["negative_errors"] = wrong_negative / (wrong_negative + scores["true_negative"])
    if (folder / "verdicts.csv").exists():
        verdicts = pd.read_csv(folder / "verdicts.csv")["verdict"]
        if len(verdicts):
            result |= {name: float((verdicts == name).mean()) for name in VERDICTS}
    return result


def _reason(runs: list[SweepRun], model: str, table: pd.DataFrame) -> str:
    """The first failure of a pair's model; a note for a pair that has not run."""
    pairs = table["pair"] == runs[0].pair
    reasons = table[pairs & (table["model"] == model)]["failed"]
    return next((str(reason) for reason in reasons if reason), "It has not run.")

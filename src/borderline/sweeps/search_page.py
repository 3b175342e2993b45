"""The results of a search: the table of trials, and a page with the front."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from borderline.measures.class_names import in_chart
from borderline.pages.rendering import chart, render
from borderline.pipelines.metrics.front import knee, pareto_front
from borderline.sweeps.plan import Plan, SweepRun
from borderline.sweeps.search import OBJECTIVES, POINT, REASON, REPEATS, SECONDS, YIELD
from borderline.sweeps.search_space import Point

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from optuna.trial import FrozenTrial

Command = Callable[[int, Point], str]
"""The command of a trial from its number and settings."""

_SCORES = [*OBJECTIVES, "yield"]
_COLOURS = {"front": "#0072B2", "other": "#9a9a9a"}
_HEIGHT = 420


def trials_table(trials: Sequence[FrozenTrial], command: Command) -> pd.DataFrame:
    """A row for each trial.

    Returns:
        ``trial``, its number; ``status``, which is ``done``, ``repeat`` (of the trial in
        ``repeats``), ``failed`` (with the reason in ``failed``) or ``running``; its settings; the
        scores; ``on_front`` and ``knee``; ``seconds``; and the ``command`` of a trial on the front.
    """
    rows = []
    for trial in trials:
        attributes = trial.user_attrs
        row: dict[str, Any] = {"trial": trial.number, "status": _status(trial)}
        row |= attributes.get(POINT, {})
        row |= dict(zip(OBJECTIVES, trial.values or (math.nan, math.nan), strict=True))
        row |= {"yield": attributes.get(YIELD, math.nan)}
        row |= {"seconds": attributes.get(SECONDS, math.nan)}
        row |= {"repeats": attributes.get(REPEATS), "failed": attributes.get(REASON, "")}
        rows.append(row)
    last = [*_SCORES, "seconds", "repeats", "failed"]
    table = pd.DataFrame(rows, columns=None if rows else ["trial", "status", *last])
    table = table[[*(name for name in table if name not in last), *last]]
    acd, fd = (table[name].to_numpy(dtype=float) for name in OBJECTIVES)
    table["repeats"] = table["repeats"].astype("Int64")
    table = table.assign(on_front=pareto_front(fd, acd), knee=table.index == knee(fd, acd))
    points = {trial.number: trial.user_attrs.get(POINT, {}) for trial in trials}
    commands = [
        command(number, points[number]) if front else ""
        for number, front in zip(table["trial"], table["on_front"], strict=True)
    ]
    return table.assign(command=commands)


def page_of(table: pd.DataFrame, plan: Plan, run: SweepRun) -> str:
    """The page of a search in HTML, from ``trials_table``."""
    params = plan.parameters.search
    positive, negative = (plan.classes[label] for label in plan.labels[run.pair])
    counts = table["status"].value_counts()
    first = ("trial", "status", *_SCORES, "seconds", "repeats", "failed")
    settings = [n for n in map(str, table) if n not in (*first, "on_front", "knee", "command")]
    return render(
        "borderline.sweeps",
        "search.html",
        source=plan.dataset,
        positive=positive,
        negative=negative,
        model=plan.models[0],
        seed=run.seed,
        params=params,
        counts={name: int(counts.get(name, 0)) for name in ("done", "repeat", "failed", "running")},
        settings=settings,
        rows=[_shown(row, settings) for row in table.to_dict("records")],
        front=chart(draw_front(table, settings)) if table["on_front"].any() else None,
    )


def draw_front(table: pd.DataFrame, settings: Sequence[str]) -> go.Figure:
    """ACD against ``fd_lenet`` of all finished trials, with the front as steps."""
    import plotly.graph_objects as go

    figure = go.Figure()
    done = table[table["status"] == "done"]
    front = done[done["on_front"]].sort_values("fd_lenet")
    line = {"shape": "hv", "color": _COLOURS["front"], "dash": "dot", "width": 1}
    figure.add_scatter(
        **{"x": front["fd_lenet"].tolist(), "y": front["acd"].tolist(), "line": line},
        **{"mode": "lines", "showlegend": False, "hoverinfo": "skip"},
    )
    for name, rows, size in (("other", done[~done["on_front"]], 8), ("front", front, 12)):
        hover = [
            "<br>".join(in_chart(f"{n}: {_text(row[n])}", 60) for n in ("trial", *settings))
            for row in rows.to_dict("records")
        ]
        figure.add_scatter(
            x=rows["fd_lenet"].tolist(),
            y=rows["acd"].tolist(),
            mode="markers+text" if name == "front" else "markers",
            text=rows["trial"].astype(str).tolist(),
            textposition="top right",
            marker={"size": size, "color": _COLOURS[name]},
            name={"front": "on the front", "other": "other trials"}[name],
            customdata=hover,
            hovertemplate="%{customdata}<br>ACD %{y:.3g}, fd_lenet %{x:.3g}<extra></extra>",
        )
    figure.update_layout(template="plotly_white", height=_HEIGHT, margin={"t": 30})
    figure.update_xaxes(title="fd_lenet, lower is more realistic")
    figure.update_yaxes(title="ACD, lower is nearer to the boundary")
    title = "Numbers: the trials on the front; each other trial is beaten by one of them"
    return figure.update_layout(title=title)


def _status(trial: FrozenTrial) -> str:
    if REPEATS in trial.user_attrs:
        return "repeat"
    if trial.values is not None:
        return "done"
    return "failed" if trial.state.is_finished() else "running"


def _shown(row: dict[Any, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A row of the page, in words."""
    shown = {name: _text(row[name]) for name in ("trial", *settings, *_SCORES)}
    state = row["status"]
    if state == "repeat":
        state = f"settings of trial {row['repeats']}"
    elif state == "failed":
        state = f"failed: {row['failed']}"
    flags = {name: bool(row[name]) for name in ("on_front", "knee")}
    return {**shown, **flags, "state": state, "command": row["command"]}


def _text(value: Any) -> str:
    """A value in words; a dash for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "\N{EN DASH}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)

"""Interactive charts of the generators' scores."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.colors import to_hex
from plotly.subplots import make_subplots

from borderline.boundary import Boundary, ends_of_band
from borderline.measures.class_names import ClassNames, in_chart, p_of
from borderline.measures.judges import Distance
from borderline.measures.plots import PROBABILITY_COLOURS, colours_of_p
from borderline.pipelines.metrics.comparison import REAL

# Colours of Okabe and Ito, which colour-blind people can tell apart.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7A6A00", "#000000")
_DASHES = ("solid", "dash", "dot", "dashdot")
_GREY = "#777777"
_AXIS = 30  # characters of a line below a panel
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "pentagon", "hexagon")

_DISTANCES = {"fd_lenet": "fd_lenet", "fd_classifier": "fd_classifier", "fid": "FID"}
_DASHED = {"dash": "dash", "color": _GREY, "width": 1}
_SETS = {"": "all images", "_borderline": "borderline", "_to_borderline": "to real borderline"}
_HEADLINES = {
    "yield": "yield",
    "acd": "ACD",
    "hubris": "hubris",
    **{
        f"{column}{suffix}": f"{name}<br>{words}"
        for column, name in _DISTANCES.items()
        for suffix, words in _SETS.items()
    },
    "precision_lenet_borderline": "precision (lenet)<br>borderline",
    "coverage_lenet_borderline": "coverage (lenet)<br>borderline",
    "total_variation_borderline": "total variation<br>borderline",
    "vendi_lenet_borderline": "Vendi score (lenet)<br>borderline",
    "near_duplicates_lenet_borderline": "near-duplicates (lenet)<br>borderline",
}


def draw_histograms(
    histograms: Mapping[str, pd.DataFrame], boundary: Boundary, names: ClassNames
) -> go.Figure:
    """The histogram of p of each generator's images (``histogram_table``), one panel each."""
    scale = colours_of_p(boundary["threshold"])
    columns = min(3, len(histograms))
    rows = math.ceil(len(histograms) / columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=list(histograms),
        shared_xaxes=True,
        vertical_spacing=0.5 / (rows + 2),
    )
    for position, table in enumerate(histograms.values()):
        place = {"row": position // columns + 1, "col": position % columns + 1}
        middles = (table["from"] + table["to"]) / 2
        total = max(int(table["images"].sum()), 1)
        bars = go.Bar(
            x=middles,
            y=table["images"] / total,
            width=table["to"] - table["from"],
            marker={
                "color": [to_hex(PROBABILITY_COLOURS(float(scale(m)))) for m in middles],
                "line": {"color": "#333333", "width": 0.6},
            },
            name="uncalibrated",
            customdata=table["images"],
            hovertemplate="p = %{x:.3f}: %{customdata} images<extra></extra>",
            showlegend=False,
        )
        shares = table["calibrated"] / total
        calibrated = go.Scatter(
            x=np.append(table["from"], table["to"].iloc[-1:]),
            y=np.append(shares, shares.iloc[-1:]),
            mode="lines",
            line={"shape": "hv", "color": "#000000", "width": 1.5},
            name="calibrated",
            hovertemplate="calibrated: %{y:.1%}<extra></extra>",
            showlegend=position == 0,
        )
        figure.add_traces([bars, calibrated], rows=[place["row"]] * 2, cols=[place["col"]] * 2)
        for edge in ends_of_band(boundary):
            figure.add_vline(edge, line=_DASHED, **place)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(range=[0, 1], showticklabels=True)
    figure.update_xaxes(title=in_chart(p_of(names), _AXIS), row=rows)
    return _finished(
        figure,
        "Histogram of p by generator; images between the dashed lines are borderline",
        height=130 + 210 * rows,
    )


def draw_curves(epochs: pd.DataFrame) -> go.Figure:
    """Fréchet distance, yield and ACD of each training by epoch, from ``epochs_table``."""
    panels = {**_DISTANCES, "yield": "yield", "acd": "ACD"}
    panels = {n: title for n, title in panels.items() if n in epochs and epochs[n].notna().any()}
    figure = make_subplots(max(len(panels), 1), 1, shared_xaxes=True, vertical_spacing=0.05)
    for number, (source, table) in enumerate(epochs.groupby("source", sort=False)):
        colour, dash, symbol = _style(number)
        for row, column in enumerate(panels, start=1):
            if not table[column].notna().any():
                continue
            figure.add_scatter(
                x=table["epoch"],
                y=table[column],
                mode="lines+markers",
                name=str(source),
                legendgroup=str(source),
                showlegend=row == 1,
                line={"color": colour, "dash": dash},
                marker={"symbol": symbol},
                cliponaxis=False,
                hovertemplate=f"{source}, epoch %{{x}}: %{{y:.3g}}<extra></extra>",
                row=row,
                col=1,
            )
    for row, title in enumerate(panels.values(), start=1):
        figure.update_yaxes(title=title, rangemode="tozero", row=row, col=1)
    for row, column in enumerate(panels, start=1):
        if column in _DISTANCES:
            figure.update_yaxes(type="log", row=row, col=1)
    figure.update_xaxes(title="epoch (step 2 starts at 0)", row=max(len(panels), 1), col=1)
    images = epochs["images"].max()
    n = f", on {images:.0f} images per epoch" if images > 0 else ""
    return _finished(figure, f"Scores of the trainings{n}", height=170 + 170 * max(len(panels), 1))


def draw_front(points: pd.DataFrame, chosen: str) -> go.Figure:
    """The Pareto front of Fréchet distance and ACD over epochs and generators (``front_of``)."""
    figure = go.Figure()
    n = int(points["n"].max()) if len(points) else 0
    distance, name = next((n, shown) for n, shown in _DISTANCES.items() if n in points)
    both_scores = f"{name} %{{x:.1f}}, ACD %{{y:.3f}}<extra></extra>"
    front = points[points["on_front"]].sort_values(distance)
    figure.add_scatter(
        x=front[distance],
        y=front["acd"],
        mode="lines",
        line={"shape": "hv", "color": _GREY, "dash": "dot"},
        name="Pareto front",
        hoverinfo="skip",
    )
    for number, (source, table) in enumerate(points.groupby("source", sort=False)):
        colour, _, symbol = _style(number)
        trained, finished = table[table["epoch"].notna()], table[table["epoch"].isna()]
        if len(trained):
            figure.add_scatter(
                x=trained[distance],
                y=trained["acd"],
                mode="lines+markers+text",
                text=[f"{epoch:.0f}" for epoch in trained["epoch"]],
                textposition="top center",
                textfont={"size": 10, "color": colour},
                line={"color": colour, "width": 1},
                marker={"size": 6, "symbol": "circle-open"},
                name=f"{source}, epochs",
                hovertemplate=f"{source}, epoch %{{text}}<br>{both_scores}",
            )
        figure.add_scatter(
            x=finished[distance],
            y=finished["acd"],
            mode="markers",
            marker={
                "size": 14,
                "color": colour,
                "symbol": symbol,
                "line": {"width": 3 if source == chosen else 0, "color": "#000000"},
            },
            name=f"{source}{' (chosen)' if source == chosen else ''}",
            hovertemplate=f"{source}, all images<br>{both_scores}",
        )
    for _, row in points[points["knee"]].iterrows():
        figure.add_annotation(
            x=math.log10(max(row[distance], 1e-9)),
            y=row["acd"],
            text="knee" if row["acd"] > front["acd"].min() else "lowest ACD",
            ax=34,
            ay=-34,
            arrowhead=2,
            borderpad=2,
        )
    figure.update_xaxes(
        title=f"{name} of all images, N = {n}, logarithmic (left: nearer to real images)",
        type="log",
        nticks=8,
    )
    figure.update_yaxes(title="ACD (down: nearer to the boundary)", range=_range_of(points["acd"]))
    return _finished(figure, "Realism against confusion, by epoch and generator", height=560)


def _range_of(acd: pd.Series) -> list[float] | None:
    """The range of the axis: the same for all runs with a threshold of 0.5."""
    return [-0.02, 0.52] if not acd.max() > 0.5 else None


def draw_leaderboard(leaderboard: pd.DataFrame, distance: Distance = "fd_lenet") -> go.Figure:
    """The main scores of all generators with 95 % intervals, beside the real images."""
    real = leaderboard["source"] == REAL
    chosen_names = "<b>" + leaderboard["source"] + "</b> (chosen)"
    names = leaderboard["source"].mask(leaderboard["chosen"], chosen_names).tolist()
    shown = [name for name in _HEADLINES if name in leaderboard and leaderboard[name].notna().any()]
    columns = min(4, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = make_subplots(
        rows,
        columns,
        shared_yaxes=True,
        horizontal_spacing=0.025,
        vertical_spacing=0.36 / rows,
        subplot_titles=[_HEADLINES[name] for name in shown],
    )
    for position, name in enumerate(shown):
        place = {"row": position // columns + 1, "col": position % columns + 1}
        low, high = leaderboard[f"{name}_low"], leaderboard[f"{name}_high"]
        colours = np.where(leaderboard["chosen"], _COLOURS[5], np.where(real, _GREY, _COLOURS[0]))
        figure.add_scatter(
            x=leaderboard[name],
            y=names,
            mode="markers",
            marker={
                "color": colours,
                "size": 9,
                "symbol": np.where(leaderboard["on_front"], "diamond", "circle"),
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": high - leaderboard[name],
                "arrayminus": leaderboard[name] - low,
                "color": _GREY,
                "thickness": 1.5,
            },
            cliponaxis=False,
            customdata=np.column_stack([low, high]),
            hovertemplate=(
                "%{y}: %{x:.3g} [%{customdata[0]:.3g}, %{customdata[1]:.3g}]<extra></extra>"
            ),
            showlegend=False,
            **place,
        )
        floor = leaderboard.loc[real, name].iloc[0]
        if pd.notna(floor):
            figure.add_vline(floor, line=_DASHED, **place)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(rangemode="tozero", nticks=4)
    height = 190 + rows * (100 + 26 * len(leaderboard))
    return _finished(figure, _title(leaderboard, distance), height).update_layout(margin={"t": 160})


def _title(leaderboard: pd.DataFrame, distance: Distance) -> str:
    real = leaderboard["source"] == REAL
    sizes = {"all images": "fd_lenet_n", "borderline images": "fd_lenet_borderline_n"}
    counts = ", ".join(
        f"{words} N = {leaderboard[column].max():.0f}"
        for words, column in sizes.items()
        if leaderboard[column].notna().any()
    )
    missing = leaderboard.loc[real, "precision_lenet_borderline"].isna().all()
    return (
        f"{(~real).sum()} generators with 95 % intervals (lenet features: {counts}).<br>"
        "<sup>Dashed: real images, the floor of the measures of realism"
        f"{' (too few real images are borderline for their floor)' if missing else ''}.<br>"
        f"Diamond: on the Pareto front of {_DISTANCES[distance]} and ACD. "
        f"Chosen: {leaderboard['rule'].iloc[0]}.</sup>"
    )


def _style(number: int) -> tuple[str, str, str]:
    dash = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    return _COLOURS[number % len(_COLOURS)], dash, _SYMBOLS[number % len(_SYMBOLS)]


def _finished(figure: go.Figure, title: str, height: int) -> go.Figure:
    return figure.update_layout(
        title=title,
        template="plotly_white",
        height=height,
        font={"size": 13},
        margin={"t": 100, "l": 80, "r": 30, "b": 60},
    )

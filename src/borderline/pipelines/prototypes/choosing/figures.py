"""Figures of the criticisms, the validation, the coverage curves and the matches."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from borderline.findings import VALIDATION_MEASURES
from borderline.measures.class_names import ClassNames
from borderline.measures.plots import (
    CHANCE_COLOUR,
    CLUSTER_COLOURS,
    as_picture,
    bare,
    cell_of,
    cluster_colour,
    draw_image_grid,
    draw_note,
)
from borderline.pipelines.prototypes.choosing.names import (
    BASELINES,
    BETTER,
    LEVELS,
    NAMES,
    RANDOM_BORDERLINE,
)
from borderline.records import Part


def draw_criticisms(criticisms: Part, names: ClassNames, threshold: float) -> Figure:
    """The criticisms of MMD-critic."""
    title = "Criticisms: borderline images that the prototypes of MMD-critic represent badly"
    images, p = criticisms["images"], criticisms["probabilities"]
    return draw_image_grid(images, p, title, names=names, threshold=threshold)


def draw_validation(table: pd.DataFrame, level: float) -> Figure:
    """Every selection and baseline by every measure, beside random images.

    A mark is filled up to this level of the corrected p-value.
    """
    if len(table) == 0:
        return draw_note("There are no prototypes to validate.")
    names = list(table["chosen_by"].unique())
    width, height = 2.2 * len(BETTER) + 3, 0.36 * len(names) + 2
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    panels = figure.subplots(1, len(BETTER), sharey=True)
    for axes, (measure, better) in zip(panels, BETTER.items(), strict=True):
        rows = table[table["measure"] == measure].set_index("chosen_by")
        _draw_measure(axes, rows, names, level)
        arrow = "\u2192" if better == "higher" else "\u2190"
        axes.set_title(f"{VALIDATION_MEASURES[measure]}\n{arrow} better", fontsize=9)
    panels[0].set_yticks(range(len(names)), [NAMES[name] for name in reversed(names)])
    for axes in panels[1:]:
        axes.tick_params(left=False)
    figure.suptitle(
        "Prototypes compared with random images. Grey band: 95 % of random choices. "
        f"Lines: 95 % intervals. Filled: better than random images (corrected p \u2264 {level})",
        fontsize=10,
    )
    return figure


def _draw_measure(axes: Axes, rows: pd.DataFrame, names: list[str], level: float) -> None:
    band = rows.reindex([RANDOM_BORDERLINE]).iloc[0]
    if pd.notna(band["value"]):
        axes.axvspan(band["low"], band["high"], color="#dddddd", zorder=0)
        axes.axvline(band["value"], color=CHANCE_COLOUR, linewidth=1, zorder=1)
    for height, name in enumerate(reversed(names)):
        row = rows.loc[name]
        if pd.isna(row["value"]):
            continue
        colour = CHANCE_COLOUR if name in BASELINES else "black"
        filled = colour if row["q_value"] <= level else "white"
        axes.plot([row["low"], row["high"]], [height, height], color=colour, linewidth=1.5)
        axes.plot(row["value"], height, "o", color=colour, markerfacecolor=filled)
    axes.tick_params(labelsize=8)
    for spine in ("top", "right", "left"):
        axes.spines[spine].set_visible(False)


def draw_coverage(curves: pd.DataFrame) -> go.Figure:
    """The coverage curves of :func:`validation.coverage_curves`."""
    figure = go.Figure()
    if len(curves):
        x = curves["radius"]
        common = {"x": x, "line": {"width": 0}, "hoverinfo": "skip"}
        band = {"fill": "tonexty", "fillcolor": "rgba(120, 120, 120, 0.25)", **common}
        figure.add_scatter(y=curves["random_low"], showlegend=False, **common)
        figure.add_scatter(y=curves["random_high"], name="95 % of random choices", **band)
        for number, name in enumerate(name for name in curves if name in NAMES):
            dash = "dot" if name in BASELINES else "dash" if number >= CLUSTER_COLOURS else "solid"
            line = {"color": cluster_colour(number), "dash": dash}
            figure.add_scatter(x=x, y=curves[name], name=NAMES[name], line=line)
    return figure.update_layout(
        template="plotly_white",
        title="Coverage: share of borderline images with a prototype within a radius",
        xaxis_title="radius (cosine distance in the model's embedding)",
        yaxis={"title": "share of borderline images", "range": [0, 1], "tickformat": ".0%"},
        hovermode="x",
    )


def draw_reproducibility(
    comparisons: pd.DataFrame, levels: pd.DataFrame, limits: Mapping[str, float]
) -> Figure:
    """A point for each comparison, and the mean of each level with its 95 % interval.

    ``limits`` are the least values of the columns that decide, from which on patterns are found
    again; a dashed line shows each.
    """
    if comparisons.empty:
        return draw_note("There is nothing to compare.")
    panels = {
        "ari": "adjusted Rand index",
        "closed": "share of the gap closed,\nmodel's embedding",
        "judge_closed": "share of the gap closed,\njudge's features",
    }
    figure = Figure(figsize=(9, 3.4), layout="constrained", dpi=110)
    title = (
        "The patterns in other images, generators and GANs (found again: right of the dashed line)"
    )
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(1, len(panels), sharey=True)
    names = [name for name in LEVELS if (levels["level"] == name).any()]
    for ax, (column, title) in zip(axes, panels.items(), strict=True):
        ax.axvline(0, color=CHANCE_COLOUR, linewidth=1)
        if column in limits:
            ax.axvline(limits[column], color=CHANCE_COLOUR, linewidth=1, linestyle="dashed")
        for height, name in enumerate(reversed(names)):
            points = comparisons[comparisons["level"] == name][column]
            ax.plot(points, [height] * len(points), "o", color=CHANCE_COLOUR, alpha=0.6, zorder=1)
            row = levels[levels["level"] == name].iloc[0]
            ends = [row[f"{column}_low"], row[f"{column}_high"]]
            ax.plot(ends, [height, height], color="black", linewidth=1.5, zorder=2)
            ax.plot(row[column], height, "D", color="black", zorder=3)
        ax.set_title(title, fontsize=9)
        low = min(0.0, comparisons[column].min(skipna=True)) - 0.05
        ax.set_xlim(low, 1.05)
        ax.tick_params(labelsize=8)
        for spine in ("top", "right"):
            ax.spines[spine].set_visible(False)
    compared = levels.set_index("level")["compared"]
    labels = [
        f"{LEVELS[n].partition(' ')[2]}\n({compared[n] or 'not'} compared)" for n in reversed(names)
    ]
    axes[0].set_yticks(range(len(names)), labels, fontsize=8)
    axes[0].set_ylim(-0.6, len(names) - 0.4)
    return figure


def draw_found_again(
    prototypes: Tensor, matches: pd.DataFrame, repeats: Mapping[int, Tensor]
) -> Figure:
    """Each prototype and its partners in the repeats, with their cosine similarity.

    The images are (K, C, H, W) and, by the repeat's number, (n, C, H, W); ``matches`` comes from
    :func:`matching.match`.
    """
    if len(matches) == 0:
        return draw_note("There are no prototypes, or no repeat gave clusters.")
    rows, columns = len(prototypes), 1 + len(repeats)
    wide, high = cell_of(prototypes)
    figsize = (1.15 * wide * columns + 1, (1.15 * high + 0.15) * rows + 1.1)
    figure = Figure(figsize=figsize, layout="constrained", dpi=110)
    figure.suptitle(
        "The shown images and their matches in repeats with other seeds\n"
        "(cosine similarity in the model's embedding)",
        fontsize=10,
    )
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        bare(ax)
    axes[0, 0].set_title("this run", fontsize=9)
    for number, picture in enumerate(as_picture(prototypes)):
        axes[number, 0].imshow(picture, interpolation="nearest")
        axes[number, 0].set_ylabel(str(number), rotation=0, ha="right", va="center")
    for column, (repeat, images) in enumerate(repeats.items(), start=1):
        axes[0, column].set_title(f"repeat {repeat}", fontsize=9)
        partners = matches[matches["repeat"] == repeat].set_index("prototype")
        for number, ax in enumerate(axes[:, column]):
            if number not in partners.index:
                ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes)
                continue
            picture = as_picture(images[int(partners["row"][number])][None])[0]
            ax.imshow(picture, interpolation="nearest")
            ax.set_xlabel(f"{partners['similarity'][number]:.2f}", fontsize=8, labelpad=2)
    return figure

"""Figures of the validation and of the coverage curves."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.plots import (
    CHANCE_COLOUR,
    CLUSTER_COLOURS,
    as_picture,
    bare,
    cluster_colour,
)
from borderline.pipelines.prototypes.choosing.measures import BETTER
from borderline.pipelines.prototypes.choosing.validation import BASELINES, RANDOM_BORDERLINE
from borderline.pipelines.prototypes.choosing.verdicts import MEASURES, NAMES


def draw_validation(table: pd.DataFrame, level: float) -> Figure:
    """Every selection and baseline by every measure, beside what chance gives.

    Args:
        table: By ``validation.COLUMNS``, not empty.
        level: Up to this corrected p-value a mark is filled.
    """
    names = list(dict.fromkeys(table["chosen_by"]))
    figure = Figure(
        figsize=(2.2 * len(BETTER) + 3, 0.36 * len(names) + 2), layout="constrained", dpi=120
    )
    panels = figure.subplots(1, len(BETTER), sharey=True)
    for axes, (measure, better) in zip(panels, BETTER.items(), strict=True):
        own = table[table["measure"] == measure].set_index("chosen_by")
        if RANDOM_BORDERLINE in own.index:
            band = own.loc[RANDOM_BORDERLINE]
            axes.axvspan(band["low"], band["high"], color="#dddddd", zorder=0)
            axes.axvline(band["value"], color=CHANCE_COLOUR, linewidth=1, zorder=1)
        for height, name in enumerate(reversed(names)):
            row = own.loc[name]
            if pd.isna(row["value"]):
                continue
            colour = CHANCE_COLOUR if name in BASELINES else "black"
            axes.plot([row["low"], row["high"]], [height, height], color=colour, linewidth=1.5)
            filled = pd.notna(row["q_value"]) and row["q_value"] <= level
            axes.plot(
                row["value"],
                height,
                "o",
                color=colour,
                markerfacecolor=colour if filled else "white",
            )
        arrow = "\u2192" if better == "higher" else "\u2190"
        axes.set_title(
            f"{MEASURES[measure].replace(' in', chr(10) + 'in')}\n{arrow} better", fontsize=9
        )
        axes.tick_params(labelsize=8)
        for spine in ("top", "right", "left"):
            axes.spines[spine].set_visible(False)
    panels[0].set_yticks(range(len(names)), [NAMES[name] for name in reversed(names)])
    for axes in panels[1:]:
        axes.tick_params(left=False)
    figure.suptitle(
        "Are the prototypes better than random images? Grey: 95 % of random choices; lines: 95 % "
        f"intervals; filled: better than chance (corrected p at most {level})",
        fontsize=10,
    )
    return figure


def draw_coverage(curves: pd.DataFrame) -> go.Figure:
    """The share of borderline images that have a prototype nearer than each radius.

    Args:
        curves: ``radius``, a column for each selection and baseline, and ``random_low`` and
            ``random_high``, between which 95 % of random choices are.
    """
    figure = go.Figure()
    if len(curves):
        x = curves["radius"]
        line = {"width": 0}
        figure.add_scatter(
            x=x, y=curves["random_low"], line=line, showlegend=False, hoverinfo="skip"
        )
        figure.add_scatter(
            x=x,
            y=curves["random_high"],
            line=line,
            fill="tonexty",
            fillcolor="rgba(120, 120, 120, 0.25)",
            name="95 % of random choices",
            hoverinfo="skip",
        )
        names = [name for name in curves if name in NAMES]
        for number, name in enumerate(names):
            repeated = number >= CLUSTER_COLOURS
            dash = "dot" if name in BASELINES else "dash" if repeated else "solid"
            colour = cluster_colour(number)
            figure.add_scatter(
                x=x, y=curves[name], name=NAMES[name], line={"color": colour, "dash": dash}
            )
    return figure.update_layout(
        template="plotly_white",
        title="How many borderline images have a prototype near them",
        xaxis_title="radius (cosine distance in the model's embedding)",
        yaxis={"title": "share of borderline images", "range": [0, 1], "tickformat": ".0%"},
        hovermode="x",
    )


def draw_found_again(
    images: Tensor, found: Sequence[Sequence[tuple[Tensor, float] | None]], runs: Sequence[int]
) -> Figure:
    """Each prototype and its partners in the other runs, with their cosine similarity.

    Args:
        images: Prototypes in [-1, 1], shape (K, C, H, W), K at least 1.
        found: For each prototype, an image (C, H, W) and its similarity for each other run; None
            where it has no partner there.
        runs: The numbers of these runs.
    """
    figure = Figure(
        figsize=(1.15 * (len(runs) + 1) + 1, 1.3 * len(images) + 1.1), layout="constrained", dpi=110
    )
    figure.suptitle(
        "Prototypes, and those of other seeds that match them\n(cosine similarity for the model)",
        fontsize=11,
    )
    axes = figure.subplots(len(images), len(runs) + 1, squeeze=False)
    for ax in axes.flat:
        bare(ax)
    for number, (picture, partners) in enumerate(zip(as_picture(images), found, strict=True)):
        axes[number, 0].imshow(picture, interpolation="nearest")
        axes[number, 0].set_ylabel(str(number), rotation=0, ha="right", va="center")
        for ax, partner in zip(axes[number, 1:], partners, strict=True):
            if partner is None:
                ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes)
                continue
            ax.imshow(as_picture(partner[0][None])[0], interpolation="nearest")
            ax.set_xlabel(f"{partner[1]:.2f}", fontsize=8, labelpad=2)
    axes[0, 0].set_title("this run", fontsize=9)
    for column, run in enumerate(runs, start=1):
        axes[0, column].set_title(f"repeat {run}", fontsize=9)
    return figure

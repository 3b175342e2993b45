"""Charts: the validation, coverage curves, whether the maps are true, what abstaining gains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from borderline.measures.plots import CLUSTER_COLOURS, cluster_colour
from borderline.pipelines.prototypes.faithfulness import Curves, Faithfulness, shares
from borderline.pipelines.prototypes.measures import BETTER
from borderline.pipelines.prototypes.params import Method
from borderline.pipelines.prototypes.rejection import BEST, CHANCE
from borderline.pipelines.prototypes.validation import BASELINES, RANDOM_BORDERLINE
from borderline.pipelines.prototypes.verdicts import MEASURES, NAMES

_CHANCE = "#777777"


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
            axes.axvline(band["value"], color=_CHANCE, linewidth=1, zorder=1)
        for height, name in enumerate(reversed(names)):
            row = own.loc[name]
            if pd.isna(row["value"]):
                continue
            colour = _CHANCE if name in BASELINES else "black"
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


def draw_faithfulness(
    found: Mapping[Method, Curves], chance: list[Curves], scores: Mapping[Method, Faithfulness]
) -> Figure:
    """The mean p as pixels are deleted or inserted in the order of each kind of map.

    Args:
        found: The curves of each method.
        chance: Those of random maps, at least one.
        scores: How each method compares with them.
    """
    figure = Figure(figsize=(3.2 * len(found) + 1, 6.4), layout="constrained", dpi=110)
    panels = figure.subplots(2, len(found), sharex=True, sharey=True, squeeze=False)
    for column, (method, own) in enumerate(found.items()):
        said = scores[method]._asdict()
        for axes, kind, score in zip(
            panels[:, column], ("deleted", "inserted"), ("deletion", "insertion"), strict=True
        ):
            random = np.stack([getattr(each, kind).mean(0) for each in chance])
            curve = getattr(own, kind).mean(0)
            x = shares(len(curve) - 1)
            low, high = np.quantile(random, [0.025, 0.975], axis=0)
            axes.fill_between(x, low, high, color="#bbbbbb", label="random maps, 95 %")
            axes.plot(x, curve, color="black", label="this kind of map")
            axes.set_title(
                f"{method.replace('_', ' ')}: {said[score]:+.2f} (p = {said[f'{score}_p']:.2f})",
                fontsize=9,
            )
            axes.set_xlabel(f"share of pixels {kind}", fontsize=9)
            axes.set(ylim=(0, 1), xlim=(0, 1))
    for axes in panels[:, 0]:
        axes.set_ylabel("mean p(positive)", fontsize=9)
    panels[0, 0].legend(fontsize=8)
    figure.suptitle(
        "Are the maps true? The red pixels go first, the blue ones last: when deleted, p should "
        "stay below\nthat of random maps, and when put back into black, above it",
        fontsize=11,
    )
    return figure


def draw_rejection(
    curves: Mapping[str, np.ndarray], labels: Mapping[str, str], title: str
) -> Figure:
    """Risk-coverage curves.

    Args:
        curves: The error rate at each number of answered images, 1 to N, for each way to abstain.
        labels: What each is called.
        title: What it is about.
    """
    figure = Figure(figsize=(7, 5), layout="constrained", dpi=120)
    axes = figure.subplots()
    plain = {CHANCE: ":", BEST: "--"}
    for number, (name, curve) in enumerate(curves.items()):
        x = np.arange(1, len(curve) + 1) / len(curve)
        colour = _CHANCE if name in plain else cluster_colour(number)
        axes.plot(x, curve, plain.get(name, "-"), color=colour, label=labels[name])
    axes.set(
        xlabel="coverage: share of the real test images that the model answers",
        ylabel="risk: share of wrong answers",
        xlim=(0, 1),
    )
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    return figure

"""The figure of a repair: the main measures of each arm, with a dot for each training."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from borderline.measures.class_names import in_figure
from borderline.measures.plots import CHANCE_COLOUR
from borderline.pipelines.repair.comparison import MAIN, MEASURES, Measure
from borderline.pipelines.repair.outcomes import ARMS, AS_IS

# The model as it is has no line here: these images are borderline because it is unsure of them.
_FRESH = "fresh_balanced_accuracy"
_SHOWN = (MAIN, "error_near", "nll", "ece", "borderline", _FRESH)
_COLUMNS = 3
_LABEL = 18  # characters of a line beside the axes
_BETTER = {-1: "lower is better", 0: "", 1: "higher is better"}


def draw_repair(scores: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """A panel for each main measure that some training has.

    A dot is a training, a diamond the mean of an arm with its 95 % interval over the seeds; the
    dashed line is the model as it is.

    Args:
        scores: The table of :func:`outcomes.score`.
        table: The table of :func:`comparison.compare_arms`.
    """
    of_all = table[table["pattern"].isna()]
    arms = [arm for arm in dict.fromkeys(scores["arm"]) if arm != AS_IS]
    shown = [name for name in _SHOWN if scores.loc[scores["arm"] != AS_IS, name].notna().any()]
    rows = max(1, -(-len(shown) // _COLUMNS))
    height = (0.34 * len(arms) + 1.1) * rows + 0.8
    figure = Figure(figsize=(11, height), layout="constrained", dpi=110)
    images = int(of_all[of_all["measure"] == MAIN]["images"].iloc[0])
    figure.suptitle(
        f"Repair, tested on {images:,} real test images\n"
        "a dot for each training, a diamond for the mean with its 95 % interval over the seeds; "
        "dashed: the model as it is, one training",
        fontsize=10,
    )
    panels = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, shown, strict=False):
        _draw(axes, MEASURES[name], scores.set_index("arm")[name], of_all, name, arms)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    labels = [in_figure(ARMS[arm], _LABEL) for arm in reversed(arms)]
    for axes in panels[::_COLUMNS]:
        axes.set_yticks(range(len(arms)), labels, fontsize=8)
        axes.set_ylim(-0.6, len(arms) - 0.4)
    return figure


def _draw(
    axes: Axes,
    measure: Measure,
    values: pd.Series[float],
    table: pd.DataFrame,
    name: str,
    arms: list[str],
) -> None:
    if name != _FRESH:
        axes.axvline(values.loc[[AS_IS]].item(), color=CHANCE_COLOUR, linestyle="dashed")
    means = table[table["measure"] == name].set_index("arm")
    for height, arm in enumerate(reversed(arms)):
        points, row = values.loc[[arm]], means.loc[arm]
        axes.plot(points, [height] * len(points), "o", color=CHANCE_COLOUR, alpha=0.6, zorder=1)
        axes.plot([row["low"], row["high"]], [height] * 2, color="black", linewidth=1.5, zorder=2)
        axes.plot(row["mean"], height, "D", color="black", markersize=5, zorder=3)
    if measure.percent:
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    main = "main outcome" if name == MAIN else ""
    said = ", ".join(filter(None, (main, _BETTER[measure.better])))
    images = int(means["images"].iloc[0])
    axes.set_title(f"{measure.title}, {images:,} images\n{said}", fontsize=9)
    low, high = axes.get_xlim()
    if low < 0:
        axes.set_xlim(-0.03 * high, high)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)

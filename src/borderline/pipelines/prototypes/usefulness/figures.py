"""The figure of the risk-coverage curves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from borderline.measures.plots import CHANCE_COLOUR, cluster_colour
from borderline.pipelines.prototypes.usefulness.rejection import (
    BEST,
    CHANCE,
    NAMES,
    risks,
    with_bounds,
)


def draw_rejection(
    scores: Mapping[str, np.ndarray], table: pd.DataFrame, wrong: np.ndarray
) -> Figure:
    """Risk-coverage curves of all ways to abstain.

    Args:
        scores: Of each way, shape (N,).
        table: The comparison of the ways, with their areas.
        wrong: Whether the model's answer is wrong, shape (N,).
    """
    figure = Figure(figsize=(7, 5), layout="constrained", dpi=120)
    axes = figure.subplots()
    areas, bounds = table.set_index("abstains_by")["aurc"], {CHANCE: ":", BEST: "--"}
    coverage = np.arange(1, len(wrong) + 1) / len(wrong)
    for number, (name, values) in enumerate(with_bounds(scores, wrong).items()):
        axes.plot(
            coverage,
            risks(values, wrong),
            bounds.get(name, "-"),
            color=CHANCE_COLOUR if name in bounds else cluster_colour(number),
            label=f"{NAMES[name]} (area {areas[name]:.4f})",
        )
    axes.set(
        xlabel="coverage: share of the real test images that the model answers",
        ylabel="risk: error rate on the answered images",
        xlim=(0, 1),
    )
    total = f"{int(wrong.sum())} errors on {len(wrong)} real test images"
    axes.set_title(f"Risk-coverage curves of abstaining: {total}", fontsize=10)
    axes.legend(fontsize=8)
    return figure

"""Risk-coverage curves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from borderline.measures.plots import CHANCE_COLOUR, cluster_colour
from borderline.pipelines.prototypes.usefulness.rejection import BEST, CHANCE


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
        colour = CHANCE_COLOUR if name in plain else cluster_colour(number)
        axes.plot(x, curve, plain.get(name, "-"), color=colour, label=labels[name])
    axes.set(
        xlabel="coverage: share of the real test images that the model answers",
        ylabel="risk: share of wrong answers",
        xlim=(0, 1),
    )
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    return figure

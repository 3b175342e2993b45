"""The picture of a generator's figures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.plots import PROBABILITY_COLOURS


def draw_probability_histogram(counts: Tensor, scores: dict[str, float], band: float) -> Figure:
    """The histogram of p over a generator's images, in the colours of p.

    Args:
        counts: Images in each of equally wide bins of [0, 1], shape (bins,).
        scores: As ``score_generator`` gives them.
        band: Half the width of the borderline band.
    """
    edges = np.linspace(0, 1, len(counts) + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.bar(
        middles,
        counts.numpy(),
        width=1 / len(counts),
        color=PROBABILITY_COLOURS(middles),
        edgecolor="#333333",
        linewidth=0.6,
    )
    for edge in (0.5 - band, 0.5 + band):
        axes.axvline(edge, color="#333333", linestyle="--", linewidth=1)
    axes.set(
        xlim=(0, 1),
        xlabel="model's p(positive); borderline between the dashed lines",
        ylabel="Generated images",
        title=(
            f"{scores['borderline']:.0f} of {scores['images']:.0f} images are borderline "
            f"(yield {scores['yield']:.1%}, ACD {scores['acd']:.3f})"
        ),
    )
    return figure

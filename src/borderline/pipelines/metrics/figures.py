"""The picture of a generator's figures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.plots import (
    PROBABILITY_COLOURS,
    add_probability_scale,
    framed_grid,
)


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
            if scores["images"]
            else "no images"
        ),
    )
    return figure


def draw_side_by_side(strips: list[tuple[str, Tensor, Tensor]], columns: int = 14) -> Figure:
    """A strip of borderline images for each source, to compare them by eye.

    Args:
        strips: What the source is, its images (N, C, H, W) in [-1, 1] and their p (N,); a note
            stands in for no images.
        columns: Images a strip, at most.
    """
    figure = Figure(figsize=(14, 0.95 * len(strips) + 0.6), layout="constrained", dpi=120)
    every = figure.subplots(len(strips), 1, squeeze=False)[:, 0]
    for axes, (name, images, p) in zip(every, strips, strict=True):
        # A line of text to the left of each strip, level with its middle.
        axes.text(-0.01, 0.5, name, ha="right", va="center", transform=axes.transAxes, fontsize=9)
        axes.set_axis_off()
        if len(images) == 0:
            axes.text(0.01, 0.5, "none", va="center", transform=axes.transAxes)
            continue
        strip = framed_grid(images[:columns], p[:columns], columns)
        axes.imshow(strip, interpolation="nearest", aspect="equal")
        axes.set_anchor("W")
    figure.suptitle("Borderline images, real and generated", fontsize=11)
    add_probability_scale(figure, list(every))
    return figure

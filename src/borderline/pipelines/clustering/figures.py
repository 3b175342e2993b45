"""The picture of the clusters' images."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.plots import add_probability_scale, framed_grid

_COLUMNS = 12


def draw_clusters(images: Tensor, p: Tensor, labels: Tensor) -> Figure:
    """The first images of each cluster, a row a cluster, each framed in the colour of p.

    Args:
        images: Borderline images in [-1, 1], shape (N, C, H, W).
        p: Their probabilities, shape (N,).
        labels: Their clusters, shape (N,), from 0; -1 for none.
    """
    clusters = int(labels.max()) + 1 if len(labels) else 0
    height = 0.8 * max(clusters, 1) + 1
    figure = Figure(figsize=(0.8 * _COLUMNS + 2.5, height), layout="constrained", dpi=120)
    figure.suptitle("The patterns: images of each cluster, framed by the model's opinion")
    if clusters == 0:
        figure.text(0.5, 0.4, "no clusters", ha="center")
        return figure
    rows = list(figure.subplots(clusters, 1, squeeze=False)[:, 0])
    for cluster, axes in enumerate(rows):
        members = (labels == cluster).nonzero()[:, 0]
        shown = members[:_COLUMNS]
        axes.imshow(framed_grid(images[shown], p[shown], _COLUMNS), interpolation="nearest")
        axes.set_axis_off()
        axes.text(
            -0.01,
            0.5,
            f"{cluster}\n{len(members)} images",
            transform=axes.transAxes,
            ha="right",
            va="center",
            fontsize=9,
        )
    add_probability_scale(figure, rows)
    return figure

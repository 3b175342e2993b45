"""Figures of the clusters' images."""

from __future__ import annotations

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.plots import add_probability_scale, framed_grid
from borderline.records import Clusters, Part

_COLUMNS = 12


def draw_borderline(borderline: Part, clusters: Clusters, sizes: pd.DataFrame) -> Figure:
    """Borderline images of each cluster, with its size and stability."""
    captions = [
        f"{row.cluster}: {row.images} images\nstability {row.stability:.2f}"
        for row in sizes.itertuples()
    ]
    title = "Borderline images of each cluster, framed in the colour of p"
    images, p = borderline["images"], borderline["probabilities"]
    return draw_clusters(images, p, clusters["labels"], captions, title)


def draw_real(test_images: Tensor, table: pd.DataFrame, clusters: int) -> Figure:
    """Borderline real test images by cluster, from the table of their assignment."""
    rows, p, labels = (torch.tensor(table[name].to_numpy()) for name in ("row", "p", "cluster"))
    counts = torch.bincount(labels[labels >= 0], minlength=clusters).tolist()
    captions = [f"{cluster}: {count} images" for cluster, count in enumerate(counts)]
    title = "Borderline real test images of each cluster, framed in the colour of p"
    return draw_clusters(test_images[rows], p, labels, captions, title)


def draw_clusters(
    images: Tensor, p: Tensor, labels: Tensor, captions: list[str], title: str
) -> Figure:
    """The first images (N, C, H, W) of each cluster, a row a cluster, framed in the colour of p.

    A caption stands beside each cluster; the row of one without images stays empty.
    """
    height = 0.8 * max(len(captions), 1) + 1
    figure = Figure(figsize=(0.8 * _COLUMNS + 2.5, height), layout="constrained", dpi=120)
    figure.suptitle(title)
    if not captions:
        figure.text(0.5, 0.4, "no clusters", ha="center")
        return figure
    rows = list(figure.subplots(len(captions), 1, squeeze=False)[:, 0])
    for cluster, (axes, caption) in enumerate(zip(rows, captions, strict=True)):
        shown = (labels == cluster).nonzero()[:_COLUMNS, 0]
        axes.set_axis_off()
        if len(shown):
            grid = framed_grid(images[shown], p[shown], _COLUMNS)
            axes.imshow(grid, interpolation="nearest")
        axes.text(
            -0.01, 0.5, caption, transform=axes.transAxes, ha="right", va="center", fontsize=9
        )
    add_probability_scale(figure, rows)
    return figure

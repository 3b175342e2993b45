"""Prototypes and a map for each pair of a reduction and a clustering, beside the winner's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.descriptions import combination_in_words
from borderline.measures.plots import bare, cluster_colour, cluster_marker
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import places_among
from borderline.pipelines.prototypes.choosing.selection import candidates_of, way_of
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.records import WINNER, Clusters, Embeddings, Part, Places, Selections

_COLUMNS = 3
_REST = "#bbbbbb"


def choose_for_pairs(
    pairs: Mapping[str, Clusters],
    borderline: Part,
    embeddings: Embeddings,
    selections: Selections,
    settings: PrototypesParams,
    run: RunParams,
) -> dict[str, Tensor]:
    """The rows of the prototypes of each pair, (K,), by the selection that is shown.

    They are chosen from the same candidates as those of the winner.
    """
    rows, way = selections["candidates"], way_of(settings.shown, run)
    return {
        name: rows[way(candidates_of(selections, borderline, embeddings, clusters))]
        for name, clusters in pairs.items()
    }


def tabulate(
    clusters: Mapping[str, Clusters], chosen: Mapping[str, Tensor], borderline: Part
) -> pd.DataFrame:
    """A row for each prototype of the winner and of each pair, with the size of its cluster."""
    tables = []
    for name, rows in chosen.items():
        labels = clusters[name]["labels"]
        of_rows = labels[rows]
        columns = {
            "combination": name,
            "prototype": range(len(rows)),
            "cluster": of_rows.tolist(),
            "images": [int((labels == cluster).sum()) for cluster in of_rows],
            "row": rows.tolist(),
            "p": borderline["probabilities"][rows].tolist(),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def draw_combinations(
    clusters: Mapping[str, Clusters],
    chosen: Mapping[str, Tensor],
    selections: Selections,
    places: Places,
    agreement: Mapping[str, float],
) -> Figure:
    """The candidates on the UMAP of the test images, a panel for the winner and for each pair.

    A cluster has the same colour in all panels, and its prototype its number.
    """
    rows, where = selections["candidates"], places["umap"].numpy()
    lines = -(-len(chosen) // _COLUMNS)
    figure = Figure(figsize=(5 * _COLUMNS, 4.6 * lines + 0.6), layout="constrained", dpi=100)
    panels = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()
    for axes, (name, prototypes) in zip(panels, chosen.items(), strict=False):
        labels = clusters[name]["labels"]
        places_of = where[places_among(prototypes, rows).numpy()]
        bare(axes)
        axes.scatter(*places["test_umap"].numpy().T, s=4, color=_REST, alpha=0.3, linewidths=0)
        _draw(axes, where, labels[rows].numpy(), places_of, labels[prototypes].tolist())
        with_winner = "" if name == WINNER else f", ARI with the winner {agreement[name]:.2f}"
        axes.set_title(f"{combination_in_words(name)}{with_winner}", fontsize=11)
    figure.suptitle("Borderline images by cluster (coloured markers), test images (grey)")
    return figure


def _draw(
    axes: Axes, where: np.ndarray, labels: np.ndarray, prototypes: np.ndarray, numbers: list[int]
) -> None:
    for cluster in np.unique(labels):
        x, y = where[labels == cluster].T
        colour = "#777777" if cluster < 0 else cluster_colour(cluster)
        marker = "." if cluster < 0 else cluster_marker(cluster)
        axes.scatter(x, y, s=14, marker=marker, linewidths=0.9, color=colour)
    for place, number in zip(prototypes, numbers, strict=True):
        axes.annotate(
            str(number),
            place,
            ha="center",
            va="center",
            fontsize=9,
            fontweight="bold",
            bbox={"boxstyle": "circle", "facecolor": "white", "edgecolor": "black"},
        )

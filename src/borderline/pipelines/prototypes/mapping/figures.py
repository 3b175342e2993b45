"""The 2D maps as a picture, and as a page that shows each image under the pointer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.plots import CLASS_COLOURS, as_data_uris, cluster_colour, cluster_marker

_TITLES = {
    "umap": "UMAP, fitted on the test set",
    "tsne": "t-SNE of both",
}
_NOISE_COLOUR = "#999999"


@dataclass(frozen=True)
class MapImages:
    """Images on the maps.

    Attributes:
        images: In [-1, 1], shape (n, C, H, W).
        p: The model's opinion of them, shape (n,).
        labels: Classes of test images, 0 or 1, or clusters of borderline ones, shape (n,).
        places: Their coordinates by map, ``umap`` and ``tsne``, shape (n, 2) each.
    """

    images: Tensor
    p: np.ndarray
    labels: np.ndarray
    places: dict[str, np.ndarray]


def draw_maps(test: MapImages, borderline: MapImages, prototypes: np.ndarray) -> Figure:
    """Both maps side by side: test set by class, borderline images by cluster, prototypes.

    Args:
        test: The real test images.
        borderline: The borderline images.
        prototypes: Rows of the prototypes among these, shape (K,), in the order of their numbers.
    """
    figure = Figure(figsize=(15, 7), layout="constrained", dpi=120)
    panels = figure.subplots(1, 2)
    for axes, (kind, title) in zip(panels, _TITLES.items(), strict=True):
        _draw_map(axes, kind, test, borderline, prototypes)
        axes.set(title=title, xticks=[], yticks=[])
    figure.suptitle(
        "The model's view: real test images (dots), borderline images by cluster (coloured marks), "
        "prototypes (numbers)"
    )
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", markerscale=2, fontsize=9)
    return figure


def _draw_map(
    axes: Axes, kind: str, test: MapImages, borderline: MapImages, prototypes: np.ndarray
) -> None:
    for label, (name, colour) in enumerate(CLASS_COLOURS.items()):
        own = test.places[kind][test.labels == label]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=14,
            color=colour,
            alpha=0.35,
            linewidths=0,
            label=f"test: {name}",
        )
    for cluster in np.unique(borderline.labels):
        own = borderline.places[kind][borderline.labels == cluster]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=14,
            marker=cluster_marker(cluster) if cluster >= 0 else ".",
            linewidths=0.9,
            color=cluster_colour(cluster) if cluster >= 0 else _NOISE_COLOUR,
            label=f"cluster {cluster}" if cluster >= 0 else "no cluster",
        )
    for number, row in enumerate(prototypes):
        axes.annotate(
            str(number),
            borderline.places[kind][row],
            ha="center",
            va="center",
            fontsize=9,
            fontweight="bold",
            bbox={"boxstyle": "circle", "facecolor": "white", "edgecolor": "black"},
        )


def draw_interactive_map(
    test: MapImages, borderline: MapImages, prototypes: np.ndarray
) -> go.Figure:
    """Both maps to zoom into, one at a time, with the image under the pointer.

    Args:
        test: The real test images.
        borderline: The borderline images.
        prototypes: Rows of the prototypes among these, shape (K,).
    """
    traces: dict[str, list[go.Scatter]] = {kind: [] for kind in _TITLES}
    for kind, own in traces.items():
        for label, (name, colour) in enumerate(CLASS_COLOURS.items()):
            rows = np.flatnonzero(test.labels == label)
            marker = {"color": colour, "size": 7, "opacity": 0.5}
            own.append(_dots(test, kind, rows, 0, f"test set: {name}", marker))
        for cluster in np.unique(borderline.labels):
            rows = np.flatnonzero(borderline.labels == cluster)
            marker = {
                "color": cluster_colour(cluster) if cluster >= 0 else _NOISE_COLOUR,
                "size": 7,
                "symbol": _SYMBOLS[cluster_marker(cluster)] if cluster >= 0 else "circle-open",
            }
            name = f"cluster {cluster}" if cluster >= 0 else "no cluster"
            own.append(_dots(borderline, kind, rows, len(test.images), name, marker))
        marker = {"color": "white", "size": 18, "line": {"color": "black", "width": 1.5}}
        numbers = _dots(borderline, kind, prototypes, len(test.images), "prototypes", marker)
        own.append(
            numbers.update(
                mode="markers+text", text=[str(n) for n in range(len(prototypes))], textfont_size=11
            )
        )
    figure = go.Figure([trace for own in traces.values() for trace in own])
    count = len(traces["umap"])
    for trace in figure.data[count:]:
        trace.visible = False
    figure.update_layout(
        template="plotly_white",
        title="The model's view: point at an image to see it",
        height=720,
        meta={"pictures": [*as_data_uris(test.images), *as_data_uris(borderline.images)]},
        xaxis={"visible": False},
        yaxis={"visible": False, "scaleanchor": None},
        legend={"itemsizing": "constant"},
        updatemenus=[
            {
                "type": "buttons",
                "direction": "right",
                "x": 0,
                "xanchor": "left",
                "y": 1.0,
                "yanchor": "bottom",
                "buttons": [
                    {
                        "label": title,
                        "method": "update",
                        "args": [
                            {"visible": [kind == shown for shown in _TITLES for _ in range(count)]},
                            # Zoomed into a place of one map, the other would be empty.
                            {"xaxis.autorange": True, "yaxis.autorange": True},
                        ],
                    }
                    for kind, title in _TITLES.items()
                ],
            }
        ],
    )
    return figure


_SYMBOLS = {"x": "x-thin-open", "+": "cross-thin-open", "^": "triangle-up", "s": "square"}


def _dots(
    images: MapImages,
    kind: str,
    rows: np.ndarray,
    first: int,
    name: str,
    marker: dict[str, object],
) -> go.Scatter:
    places = images.places[kind][rows]
    return go.Scatter(
        x=places[:, 0].round(3),
        y=places[:, 1].round(3),
        mode="markers",
        name=name,
        marker=marker,
        customdata=[[first + int(row), f"p = {images.p[row]:.2f}"] for row in rows],
        hovertemplate=f"%{{customdata[1]}}<extra>{name}</extra>",
    )

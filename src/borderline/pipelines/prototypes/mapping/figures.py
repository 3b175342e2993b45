"""The 2D maps as a figure, and as a chart that shows the image under the pointer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.class_names import ClassNames, in_chart, in_figure, p_of
from borderline.measures.plots import (
    CLASS_COLOURS,
    PROBABILITY_COLOURS,
    as_data_uris,
    cluster_colour,
    cluster_marker,
    colours_of_p,
)
from borderline.pipelines.prototypes.choosing.candidates import places_among
from borderline.records import Clusters, LabelledImages, Part, Places, RealView, Selections

_TITLES = {"umap": "UMAP, fitted on the test set", "tsne": "t-SNE, fitted on both"}
_STAR: dict[str, Any] = {"s": 60, "marker": "*", "color": "white", "edgecolors": "black"}
_REAL = "random real borderline"
_NOT_APART = ": the model does not tell these images apart"
_LEGEND = 24  # characters of a line
_SYMBOLS = {
    **{"x": "x-thin-open", "+": "cross-thin-open", "^": "triangle-up", "s": "square"},
    ".": "circle-open",
}


class Words(NamedTuple):
    """The words of a map: the names of the classes, and what groups the borderline images."""

    names: ClassNames
    continuum: bool = False
    threshold: float = 0.5

    @property
    def one(self) -> str:
        """The word for a group of images."""
        return "exemplar" if self.continuum else "cluster"

    @property
    def many(self) -> str:
        """The word for the numbered images."""
        return "exemplars" if self.continuum else "prototypes"

    @property
    def grouped(self) -> str:
        """How the images are grouped."""
        return "by nearest exemplar" if self.continuum else "by cluster"


@dataclass(frozen=True)
class MapImages:
    """Images (n, C, H, W) on the maps, and their p (n,).

    Attributes:
        labels: Classes of test images, 0 or 1, or clusters of borderline images, shape (n,).
        places: Coordinates on ``umap`` and ``tsne``, shape (n, 2) each.
    """

    images: Tensor
    p: np.ndarray
    labels: np.ndarray
    places: dict[str, np.ndarray]


def on_maps(
    borderline: Part,
    clusters: Clusters,
    selections: Selections,
    places: Places,
    pair_test: LabelledImages,
    view: RealView,
    shown: str,
) -> tuple[MapImages, MapImages, np.ndarray]:
    """The drawn test images, the drawn candidates, and the rows of the prototypes among these."""
    drawn, test_rows = places["shown"], places["test_shown"]
    rows = selections["candidates"][drawn]
    test = MapImages(
        pair_test["images"][test_rows],
        view["test_p"][test_rows].numpy(),
        pair_test["labels"][test_rows].numpy(),
        {"umap": places["test_umap"][test_rows].numpy(), "tsne": places["test_tsne"].numpy()},
    )
    candidates = MapImages(
        borderline["images"][rows],
        borderline["probabilities"][rows].numpy(),
        clusters["labels"][rows].numpy(),
        {"umap": places["umap"][drawn].numpy(), "tsne": places["tsne"].numpy()},
    )
    return test, candidates, places_among(selections[shown], rows).numpy()


def draw_maps(
    test: MapImages,
    borderline: MapImages,
    prototypes: np.ndarray,
    real: np.ndarray,
    words: Words,
) -> Figure:
    """Both maps side by side.

    The prototypes are rows (K,) of the borderline images; ``real`` are the rows of the test images
    that get a star, the random borderline ones.
    """
    names = ClassNames(*(in_figure(name, _LEGEND) for name in words.names))
    figure = Figure(figsize=(15, 7), layout="constrained", dpi=120)
    panels = figure.subplots(1, 2)
    for axes, (kind, title) in zip(panels, _TITLES.items(), strict=True):
        _draw_map(axes, kind, test, borderline, prototypes, words._replace(names=names))
        if len(real):
            axes.scatter(*test.places[kind][real].T, **_STAR, label=_REAL)
        note = _NOT_APART if _is_one_place(kind, test, borderline) else ""
        axes.set(title=f"{title}{note}", xticks=[], yticks=[])
    figure.suptitle(
        "2D maps of the embeddings: real test images (dots), random borderline ones of them "
        f"(stars),\ngenerated borderline images {words.grouped} (coloured markers), {words.many} "
        "(numbers)"
    )
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", markerscale=2, fontsize=9)
    return figure


def _draw_map(
    axes: Axes,
    kind: str,
    test: MapImages,
    borderline: MapImages,
    prototypes: np.ndarray,
    words: Words,
) -> None:
    for label, (name, colour) in enumerate(zip(words.names, CLASS_COLOURS, strict=True)):
        x, y = test.places[kind][test.labels == label].T
        axes.scatter(x, y, s=14, color=colour, alpha=0.35, linewidths=0, label=f"test: {name}")
    for cluster in np.unique(borderline.labels):
        x, y = borderline.places[kind][borderline.labels == cluster].T
        name, colour, marker = _style(cluster, words)
        axes.scatter(x, y, s=14, marker=marker, linewidths=0.9, color=colour, label=name)
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
    test: MapImages,
    borderline: MapImages,
    prototypes: np.ndarray,
    real: np.ndarray,
    words: Words,
) -> go.Figure:
    """Both maps of :func:`draw_maps`, one at a time, with zoom and the image under the pointer.

    A switch colours the images by their p, on the scale of the frames.
    """
    traces: dict[str, list[go.Scatter]] = {kind: [] for kind in _TITLES}
    names = [in_chart(name, _LEGEND) for name in words.names]
    for kind, of_map in traces.items():
        for label, (name, colour) in enumerate(zip(names, CLASS_COLOURS, strict=True)):
            rows = np.flatnonzero(test.labels == label)
            marker = {"color": colour, "size": 7, "opacity": 0.5}
            of_map.append(_dots(test, kind, rows, 0, f"test set: {name}", marker))
        for cluster in np.unique(borderline.labels):
            rows = np.flatnonzero(borderline.labels == cluster)
            name, colour, symbol = _style(cluster, words)
            marker = {"color": colour, "size": 7, "symbol": _SYMBOLS[symbol]}
            of_map.append(_dots(borderline, kind, rows, len(test.images), name, marker))
        if len(real):
            marker = {"color": "white", "size": 13, "symbol": "star", "line": {"width": 1}}
            of_map.append(_dots(test, kind, real, 0, _REAL, marker))
        marker = {"color": "white", "size": 18, "line": {"color": "black", "width": 1.5}}
        numbers = _dots(borderline, kind, prototypes, len(test.images), words.many, marker)
        text = [str(n) for n in range(len(prototypes))]
        of_map.append(numbers.update(mode="markers+text", text=text, textfont_size=11))
    figure = go.Figure([trace for of_map in traces.values() for trace in of_map])
    count = len(traces["umap"])
    for trace in figure.data[count:]:
        trace.visible = False
    buttons = [
        {
            "label": title + (_NOT_APART if _is_one_place(kind, test, borderline) else ""),
            "method": "update",
            "args": [
                {"visible": [kind == shown for shown in _TITLES for _ in range(count)]},
                # The zoom of one map would show nothing of the other.
                {"xaxis.autorange": True, "yaxis.autorange": True},
            ],
        }
        for kind, title in _TITLES.items()
    ]
    place = {
        "type": "buttons",
        "direction": "right",
        "x": 0,
        "xanchor": "left",
        "yanchor": "bottom",
    }
    return figure.update_layout(
        template="plotly_white",
        title={"text": "2D maps of the embeddings: point at a marker to see its image", "y": 0.97},
        margin_t=140,
        height=760,
        meta={"pictures": [*as_data_uris(test.images), *as_data_uris(borderline.images)]},
        xaxis={"visible": False},
        yaxis={"visible": False, "scaleanchor": None},
        legend={"itemsizing": "constant"},
        coloraxis=_p_axis(words),
        updatemenus=[
            # One above the other, so that both fit on a phone.
            {**place, "y": 1, "pad": {"b": 42}, "buttons": buttons},
            {**place, "y": 1, "buttons": _colourings(figure, words)},
        ],
    )


def _p_axis(words: Words) -> dict[str, Any]:
    """The colour scale of p, hidden until the images have its colours."""
    ends, scale = np.linspace(0, 1, 11), colours_of_p(words.threshold)
    return {
        "colorscale": [[float(scale.inverse(e)), to_hex(PROBABILITY_COLOURS(e))] for e in ends],
        "cmin": 0,
        "cmax": 1,
        "showscale": False,
        "colorbar": {
            "title": {"text": in_chart(p_of(words.names), _LEGEND), "side": "top"},
            **{"orientation": "h", "thickness": 12, "len": 0.5, "y": 0, "yanchor": "top"},
        },
    }


def _colourings(figure: go.Figure, words: Words) -> list[dict[str, Any]]:
    """Buttons that colour the images by class and group, or by p."""
    former = [trace.marker.to_plotly_json() for trace in figure.data]
    by_p = [
        # Stars and numbers stay white.
        marker if marker["color"] == "white" else _by_p(trace)
        for marker, trace in zip(former, figure.data, strict=True)
    ]
    return [
        {
            "label": label,
            "method": "update",
            "args": [{"marker": markers}, {"coloraxis.showscale": markers is by_p}],
        }
        for label, markers in ((f"colours {words.grouped}", former), ("colours by p", by_p))
    ]


def _by_p(trace: go.Scatter) -> dict[str, Any]:
    """The marker of a trace with the colours of p; the outline shows the bright ones on white."""
    return {
        "color": [p for _, _, p in trace.customdata],
        "coloraxis": "coloraxis",
        "symbol": "circle" if trace.marker.symbol is None else "diamond",
        "size": 7,
        "line": {"color": "#777777", "width": 0.6},
    }


def _is_one_place(kind: str, test: MapImages, borderline: MapImages) -> bool:
    """Whether all images lie at one place of a map."""
    places = np.concatenate([test.places[kind], borderline.places[kind]])
    return len(places) > 1 and not np.ptp(places, axis=0).any()


def _style(cluster: int, words: Words) -> tuple[str, str, str]:
    """The name, the colour and the marker of a cluster or exemplar, or of images without one."""
    if cluster < 0:
        return f"no {words.one}", "#999999", "."
    return f"{words.one} {cluster}", cluster_colour(cluster), cluster_marker(cluster)


def _dots(
    images: MapImages, kind: str, rows: np.ndarray, first: int, name: str, marker: dict[str, object]
) -> go.Scatter:
    places = images.places[kind][rows]
    return go.Scatter(
        x=places[:, 0].round(3),
        y=places[:, 1].round(3),
        mode="markers",
        name=name,
        marker=marker,
        customdata=[
            [first + int(row), f"p = {images.p[row]:.2f}", round(float(images.p[row]), 3)]
            for row in rows
        ],
        # Not the name itself, which may look like a part of a template.
        hovertemplate="%{customdata[1]}<extra>%{fullData.name}</extra>",
    )

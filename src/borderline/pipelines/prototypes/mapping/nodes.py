"""Nodes that place images on the 2D maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline import records

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

    from borderline.params import RunParams
    from borderline.pipelines.prototypes.params import PrototypesParams


def place_images(
    embeddings: records.Embeddings,
    clusters: records.Clusters,
    selections: records.Selections,
    real_view: records.RealView,
    *,
    prototypes: PrototypesParams,
    run: RunParams,
) -> records.Places:
    """Place all test images and candidates on the 2D maps."""
    from borderline.pipelines.prototypes.choosing.candidates import places_among
    from borderline.pipelines.prototypes.choosing.selection import shown_in
    from borderline.pipelines.prototypes.mapping.projection import place

    test = real_view["test_embeddings"].numpy()
    candidates = embeddings["embeddings"][selections["candidates"]].numpy()
    prototypes_rows = selections[shown_in(clusters, prototypes)]
    shown = places_among(prototypes_rows, selections["candidates"])
    return place(test, candidates, shown, prototypes.map, run)


def map_prototypes(
    borderline: records.Part,
    clusters: records.Clusters,
    selections: records.Selections,
    places: records.Places,
    pair_test: records.LabelledImages,
    real_view: records.RealView,
    real_borderline: records.RealBorderline,
    pair_names: dict[str, str],
    *,
    prototypes: PrototypesParams,
) -> tuple[Figure, go.Figure]:
    """Draw the 2D maps as a figure and as a chart."""
    import numpy as np

    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.prototypes.choosing.selection import shown_in
    from borderline.pipelines.prototypes.mapping import figures

    name = shown_in(clusters, prototypes)
    drawn = figures.on_maps(borderline, clusters, selections, places, pair_test, real_view, name)
    real = np.flatnonzero(np.isin(places["test_shown"], real_borderline["rows"]))
    words = figures.Words(ClassNames.of(pair_names), "exemplars" in clusters)
    return figures.draw_maps(*drawn, real, words), figures.draw_interactive_map(*drawn, real, words)

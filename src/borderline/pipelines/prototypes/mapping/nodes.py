"""Nodes that place images on the 2D maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline import records

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from matplotlib.figure import Figure
    from torch import Tensor

    from borderline.boundary import Boundary
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
    boundary: Boundary,
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
    threshold = boundary["threshold"]
    words = figures.Words(ClassNames.of(pair_names), "exemplars" in clusters, threshold)
    return figures.draw_maps(*drawn, real, words), figures.draw_interactive_map(*drawn, real, words)


def show_combinations(
    borderline: records.Part,
    embeddings: records.Embeddings,
    clusters: records.Clusters,
    prototypes: records.Prototypes,
    selections: records.Selections,
    places: records.Places,
    combination_clusters: records.CombinationClusters,
    combination_scores_table: pd.DataFrame,
    *,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[dict[str, Tensor], pd.DataFrame, Figure]:
    """Choose prototypes for each pair of a reduction and a clustering, and draw a map of each.

    Returns the rows of the prototypes by pair, a table of them, and the maps; the winner's first.
    """
    from borderline.pipelines.prototypes.mapping import combinations

    scores = combination_scores_table
    agreement = dict(zip(scores["combination"], scores["ari_winner"], strict=True))
    stored = records.clusters_of_pairs(combination_clusters)
    # In the order of the table, best first.
    pairs = {name: stored[name] for name in agreement if name in stored}
    chosen = combinations.choose_for_pairs(pairs, borderline, embeddings, selections, settings, run)
    chosen = {records.WINNER: prototypes["rows"], **chosen}
    all_clusters = {records.WINNER: clusters, **pairs}
    table = combinations.tabulate(all_clusters, chosen, borderline)
    figure = combinations.draw_combinations(all_clusters, chosen, selections, places, agreement)
    return chosen, table, figure

"""Nodes that choose and validate the prototypes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from borderline import records
from borderline.streaming import streams

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from matplotlib.figure import Figure
    from torch import nn

    from borderline.boundary import Boundary
    from borderline.params import RunParams
    from borderline.pipelines.prototypes.cluster_model import ClusterModel
    from borderline.pipelines.prototypes.params import PrototypesParams
    from borderline.sampling import Sampler


def select_prototypes(
    borderline: records.Part,
    embeddings: records.Embeddings,
    clusters: records.Clusters,
    cluster_sizes_table: pd.DataFrame,
    pair_names: dict[str, str],
    boundary: Boundary,
    *,
    prototypes: PrototypesParams,
    run: RunParams,
) -> tuple[records.Selections, records.Prototypes, pd.DataFrame, Figure]:
    """Choose prototypes by every selection; tabulate the shown ones and draw the criticisms."""
    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.prototypes.choosing import figures, selection

    selections = selection.choose(borderline, embeddings, clusters, prototypes, run)
    name = selection.shown_in(clusters, prototypes)
    rows = selections[name]
    shown: records.Prototypes = {**records.take_rows(borderline, rows), "rows": rows}
    table = selection.tabulate(shown, clusters, cluster_sizes_table, name)
    criticisms = records.take_rows(borderline, selections["criticisms"])
    figure = figures.draw_criticisms(criticisms, ClassNames.of(pair_names), boundary["threshold"])
    return selections, shown, table, figure


@streams(
    "repeats_table",
    step="repeat",
    first=0,
    total=lambda prototypes: prototypes.validation.repeats,
)
def repeat_patterns(
    sampler: Sampler,
    classifier: nn.Module,
    judge: nn.Module,
    pair_train: records.LabelledImages,
    embeddings: records.Embeddings,
    cluster_model: ClusterModel,
    cluster_sizes_table: pd.DataFrame,
    pool: records.Pool,
    leaderboard_table: pd.DataFrame,
    boundary: Boundary,
    *,
    prototypes: PrototypesParams,
    gans: dict[str, int],
    run: RunParams,
) -> Iterator[tuple[dict[str, records.Repeat], pd.DataFrame]]:
    """Generate and cluster images again with other seeds; yields each repeat and its table."""
    import pandas as pd

    from borderline.pipelines.prototypes.choosing import repetition
    from borderline.sampling import chosen_generator

    settings = prototypes.validation
    if len(cluster_sizes_table) == 0:
        yield repetition.no_repeat()
        return
    own, rows = embeddings["embeddings"].numpy(), []
    this = repetition.Settled(cluster_model, own, pool, chosen_generator(leaderboard_table), gans)
    wanted = min(len(own), settings.repeat_images)
    for number in range(settings.repeats):
        repeat, row = repetition.repeat_clusters(
            *(number, sampler, classifier, judge, pair_train, this, boundary, wanted, run)
        )
        rows.append(row)
        yield {f"part_{number:05d}": repeat}, pd.DataFrame(rows, columns=repetition.COLUMNS)


def match_prototypes(
    prototypes: records.Prototypes,
    embeddings: records.Embeddings,
    clusters: records.Clusters,
    repeats: records.Repeats,
    *,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[pd.DataFrame, Figure]:
    """Match each prototype with its partner in every repeat, and draw the matches."""
    from borderline.pipelines.prototypes.choosing import figures, matching, repetition, selection

    loaded = repetition.repeats_with_clusters(repeats)
    vectors = embeddings["embeddings"][prototypes["rows"]].numpy()
    others = [(number, candidates) for number, _, candidates in loaded]
    way = selection.way_of(selection.shown_in(clusters, settings), run)
    table = matching.match(vectors, others, way)
    images = {number: repeat["images"] for number, repeat, _ in loaded}
    return table, figures.draw_found_again(prototypes["images"], table, images)


def measure_reproducibility(
    borderline: records.Part,
    embeddings: records.Embeddings,
    prototypes: records.Prototypes,
    clusters: records.Clusters,
    pool: records.Pool,
    repeats: records.Repeats,
    repeats_table: pd.DataFrame,
    cluster_model: ClusterModel,
    judge: nn.Module,
    leaderboard_table: pd.DataFrame,
    *,
    gans: dict[str, int],
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Compare the prototypes with those of other images, generators and GANs.

    Returns the table of the levels, that of the single comparisons, and a figure of both.
    """
    from borderline.measures.inference import embed
    from borderline.pipelines.prototypes.choosing import (
        figures,
        repetition,
        reproducibility,
        selection,
    )
    from borderline.sampling import chosen_generator

    features = embed(judge, borderline["images"], run.torch_device()).numpy()
    own, rows = embeddings["embeddings"].numpy(), prototypes["rows"].numpy()
    name = selection.shown_in(clusters, settings)
    generator = chosen_generator(leaderboard_table)
    this = reproducibility.Run(
        repetition.Settled(cluster_model, own, pool, generator, gans),
        *(repetition.Seen(own, features), rows, selection.way_of(name, run)),
    )
    comparisons = reproducibility.NOTHING
    if len(rows):
        comparisons = reproducibility.compare_all(
            this, repeats, repeats_table, settings.validation.repeats, run
        )
    mode = "continuum" if "exemplars" in clusters else "clusters"
    table = reproducibility.by_level(comparisons, mode, gans)
    limits = reproducibility.LIMITS[mode]
    return table, comparisons, figures.draw_reproducibility(comparisons, table, limits)


def validate_prototypes(
    borderline: records.Part,
    embeddings: records.Embeddings,
    clusters: records.Clusters,
    selections: records.Selections,
    places: records.Places,
    repeats: records.Repeats,
    real_view: records.RealView,
    cluster_model: ClusterModel,
    boundary: Boundary,
    *,
    prototypes: PrototypesParams,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure, go.Figure]:
    """Compare every selection with random images; measure and draw the coverage curves."""
    from borderline.pipelines.prototypes.choosing import figures, selection, validation
    from borderline.pipelines.prototypes.choosing.verdicts import say

    settings = prototypes.validation
    candidates = selection.candidates_of(selections, borderline, embeddings, clusters, boundary)
    real = validation.real_borderline(real_view, places, cluster_model, boundary)
    wanted = min(len(borderline["images"]), settings.repeat_images)
    evidence = validation.Evidence.of(
        candidates, selections, places, repeats, real, wanted, boundary
    )
    table = validation.validate(evidence, settings, run)
    if "exemplars" in clusters:
        reason = "in a continuum each image belongs to its nearest exemplar by definition"
        table = validation.without_measure(table, "precision", reason)
    table["says"] = [say(row, settings.level) for _, row in table.iterrows()]
    curves = validation.coverage_curves(evidence, run)
    figure = figures.draw_validation(table, settings.level)
    return table, curves, figure, figures.draw_coverage(curves)

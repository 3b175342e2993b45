"""Nodes that choose, validate, explain, map and use the prototypes."""

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

    from borderline.params import ConfusionParams, RunParams
    from borderline.pipelines.prototypes.cluster_model import ClusterModel
    from borderline.pipelines.prototypes.params import PrototypesParams
    from borderline.sampling import Sampler

# Below this p-value of typicality, a test image is near no cluster.
_OUTLIER = 0.05


def select_prototypes(
    borderline: records.Part,
    embeddings: records.Embeddings,
    clusters: records.Clusters,
    cluster_sizes_table: pd.DataFrame,
    *,
    prototypes: PrototypesParams,
    run: RunParams,
) -> tuple[records.Selections, records.Prototypes, pd.DataFrame, Figure]:
    """Choose prototypes by every selection; tabulate the shown ones and draw the criticisms."""
    from borderline.pipelines.prototypes.choosing import figures, selection

    selections = selection.choose(borderline, embeddings, clusters, prototypes, run)
    rows = selections[prototypes.shown]
    shown: records.Prototypes = {**records.take_rows(borderline, rows), "rows": rows}
    table = selection.tabulate(shown, clusters, cluster_sizes_table, prototypes.shown)
    figure = figures.draw_criticisms(records.take_rows(borderline, selections["criticisms"]))
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
    pair_train: records.LabelledImages,
    embeddings: records.Embeddings,
    cluster_model: ClusterModel,
    cluster_sizes_table: pd.DataFrame,
    *,
    confusion: ConfusionParams,
    prototypes: PrototypesParams,
    run: RunParams,
) -> Iterator[tuple[dict[str, records.Repeat], pd.DataFrame]]:
    """Generate and cluster images again with other seeds; yields each repeat and its table."""
    import pandas as pd

    from borderline.pipelines.prototypes.choosing import repetition

    settings, rows = prototypes.validation, []
    model = cluster_model if len(cluster_sizes_table) else None
    wanted = min(len(embeddings["embeddings"]), settings.repeat_images)
    for number in range(1 if model is None else settings.repeats):
        repeat, row = repetition.repeat_clusters(
            number, sampler, classifier, pair_train, model, confusion.band, wanted, run
        )
        rows.append(row)
        yield {f"part_{number:05d}": repeat}, pd.DataFrame(rows, columns=repetition.COLUMNS)


def match_prototypes(
    prototypes: records.Prototypes,
    embeddings: records.Embeddings,
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
    table = matching.match(vectors, others, selection.way_of(settings.shown, run))
    images = {number: repeat["images"] for number, repeat, _ in loaded}
    return table, figures.draw_found_again(prototypes["images"], table, images)


def validate_prototypes(
    borderline: records.Part,
    embeddings: records.Embeddings,
    clusters: records.Clusters,
    selections: records.Selections,
    places: records.Places,
    repeats: records.Repeats,
    real_view: records.RealView,
    cluster_model: ClusterModel,
    *,
    confusion: ConfusionParams,
    prototypes: PrototypesParams,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure, go.Figure]:
    """Compare every selection with random images; measure and draw the coverage curves."""
    from borderline.pipelines.prototypes.choosing import figures, selection, validation
    from borderline.pipelines.prototypes.choosing.verdicts import say

    settings = prototypes.validation
    candidates = selection.candidates_of(selections, borderline, embeddings, clusters)
    real = validation.real_borderline(real_view, places, cluster_model, confusion.band)
    wanted = min(len(borderline["images"]), settings.repeat_images)
    evidence = validation.Evidence.of(candidates, selections, places, repeats, real, wanted)
    table = validation.validate(evidence, settings, run)
    table["says"] = [say(row, settings.level) for _, row in table.iterrows()]
    curves = validation.coverage_curves(evidence, run)
    figure = figures.draw_validation(table, settings.level)
    return table, curves, figure, figures.draw_coverage(curves)


def explain_prototypes(
    prototypes: records.Prototypes,
    prototypes_table: pd.DataFrame,
    cluster_scores_table: pd.DataFrame,
    pair_train: records.LabelledImages,
    classifier: nn.Module,
    *,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[records.Attributions, pd.DataFrame, Figure, Figure]:
    """Explain the prototypes by attributions; score and draw these."""
    from borderline.measures.plots import draw_note
    from borderline.pipelines.prototypes.explaining import figures
    from borderline.pipelines.prototypes.explaining.explanation import explain

    images, p = prototypes["images"], prototypes["probabilities"]
    explained = explain(classifier, images, pair_train, settings.explanation, run)
    attributions, table, curves, random = explained
    if len(images) == 0:
        note = f"No prototypes: {cluster_scores_table['note'].iloc[0]}."
        return attributions, table, draw_note(note), draw_note(note)
    sheet = figures.draw_prototypes(images, p, figures.captions_of(prototypes_table), attributions)
    return attributions, table, sheet, figures.draw_faithfulness(table, curves, random)


def tip_prototypes(
    prototypes: records.Prototypes,
    embeddings: records.Embeddings,
    pair_train: records.LabelledImages,
    real_view: records.RealView,
    classifier: nn.Module,
    sampler: Sampler,
    *,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[records.Tipping, pd.DataFrame, Figure]:
    """Walk from each prototype to where the model is confident of either class."""
    from borderline.pipelines.prototypes.explaining.figures import draw_tipping
    from borderline.pipelines.prototypes.explaining.tipping import tip

    vectors = embeddings["embeddings"][prototypes["rows"]].numpy()
    goal = settings.tipping, run.torch_device()
    tipping, table = tip(prototypes, vectors, pair_train, real_view, classifier, sampler, *goal)
    latent = "latents" in prototypes
    figure = draw_tipping(tipping, pair_train["images"], table, settings.tipping, latent)
    return tipping, table, figure


def place_images(
    embeddings: records.Embeddings,
    selections: records.Selections,
    real_view: records.RealView,
    *,
    prototypes: PrototypesParams,
    run: RunParams,
) -> records.Places:
    """Place all test images and candidates on the 2D maps."""
    from borderline.pipelines.prototypes.choosing.candidates import places_among
    from borderline.pipelines.prototypes.mapping.projection import place

    test = real_view["test_embeddings"].numpy()
    candidates = embeddings["embeddings"][selections["candidates"]].numpy()
    shown = places_among(selections[prototypes.shown], selections["candidates"])
    return place(test, candidates, shown, prototypes.map, run)


def map_prototypes(
    borderline: records.Part,
    clusters: records.Clusters,
    selections: records.Selections,
    places: records.Places,
    pair_test: records.LabelledImages,
    real_view: records.RealView,
    *,
    prototypes: PrototypesParams,
) -> tuple[Figure, go.Figure]:
    """Draw the 2D maps as a figure and as a chart."""
    from borderline.pipelines.prototypes.mapping import figures

    drawn = figures.on_maps(
        borderline, clusters, selections, places, pair_test, real_view, prototypes.shown
    )
    return figures.draw_maps(*drawn), figures.draw_interactive_map(*drawn)


def evaluate_patterns(
    prototypes: records.Prototypes,
    embeddings: records.Embeddings,
    selections: records.Selections,
    cluster_model: ClusterModel,
    cluster_sizes_table: pd.DataFrame,
    pair_test: records.LabelledImages,
    real_view: records.RealView,
    *,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Count the real test errors near each cluster, and compare and draw the ways to abstain."""
    from borderline.pipelines.prototypes.usefulness import rejection
    from borderline.pipelines.prototypes.usefulness.errors import errors_near

    p, test = real_view["test_p"], real_view["test_embeddings"].numpy()
    wrong = ((p > 0.5).long() != pair_test["labels"]).numpy()
    labels, _, _ = cluster_model.assign(test)
    near = cluster_model.typicality(test) >= _OUTLIER
    errors = errors_near(labels, near, wrong, len(cluster_sizes_table))
    rows = prototypes["rows"], selections["candidates"]
    chosen, candidates = (embeddings["embeddings"][some].numpy() for some in rows)
    scores = rejection.scores_of(p, test, chosen, candidates)
    table = rejection.compare_rejection(scores, wrong, run.seed_for("rejection"))
    return errors, table, rejection.draw_rejection(scores, table, wrong)

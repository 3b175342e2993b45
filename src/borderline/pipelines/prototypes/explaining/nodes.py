"""Nodes that explain the prototypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline import records

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from borderline.boundary import Boundary
    from borderline.committee import Committee
    from borderline.counterfactuals.params import CounterfactualsParams
    from borderline.params import RunParams
    from borderline.pipelines.prototypes.cluster_model import ClusterModel
    from borderline.pipelines.prototypes.params import PrototypesParams
    from borderline.sampling import Sampler


def explain_prototypes(
    prototypes: records.Prototypes,
    prototypes_table: pd.DataFrame,
    cluster_scores_table: pd.DataFrame,
    pair_train: records.LabelledImages,
    classifier: nn.Module,
    pair_names: dict[str, str],
    boundary: Boundary,
    *,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[records.Attributions, pd.DataFrame, Figure, Figure]:
    """Explain the prototypes by attributions; score and draw these."""
    from borderline.measures.class_names import ClassNames
    from borderline.measures.plots import draw_note
    from borderline.pipelines.prototypes.explaining import figures
    from borderline.pipelines.prototypes.explaining.explanation import explain

    images, p = prototypes["images"], prototypes["probabilities"]
    threshold = boundary["threshold"]
    explained = explain(classifier, images, pair_train, settings.explanation, run, threshold)
    attributions, table, curves, random = explained
    if len(images) == 0:
        note = f"No prototypes: {cluster_scores_table['note'].iloc[0]}."
        return attributions, table, draw_note(note), draw_note(note)
    title = "Exemplars" if prototypes_table["chosen_by"].iloc[0] == "exemplars" else "Prototypes"
    captions, names = figures.captions_of(prototypes_table), ClassNames.of(pair_names)
    sheet = figures.draw_prototypes(images, p, captions, attributions, title, names, threshold)
    return attributions, table, sheet, figures.draw_faithfulness(table, curves, random, names)


def explain_real_images(
    pair_test: records.LabelledImages,
    pair_train: records.LabelledImages,
    real_view: records.RealView,
    places: records.Places,
    classifier: nn.Module,
    pair_names: dict[str, str],
    boundary: Boundary,
    *,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[records.RealBorderline, records.Attributions, Figure]:
    """Explain random real borderline images by the same attributions as the prototypes."""
    from borderline.measures.class_names import ClassNames
    from borderline.measures.plots import draw_note
    from borderline.pipelines.prototypes.explaining import baseline, explanation, figures

    chosen = baseline.choose_real_borderline(
        pair_test, real_view, places, boundary, settings.real_borderline, run
    )
    images, p = chosen["images"], chosen["probabilities"]
    attributions = explanation.attribute_all(
        classifier, images, pair_train, settings.explanation, run, boundary["threshold"]
    )
    if len(images) == 0:
        note = (
            "No real borderline images: none in the test set, or prototypes.real_borderline is 0."
        )
        return chosen, attributions, draw_note(note)
    names = ClassNames.of(pair_names)
    captions = figures.captions_of_real(chosen, names)
    title = "Random borderline images of the real test set"
    figure = figures.draw_prototypes(
        images, p, captions, attributions, title, names, boundary["threshold"]
    )
    return chosen, attributions, figure


def explain_test_images(
    pair_test: records.LabelledImages,
    pair_train: records.LabelledImages,
    real_view: records.RealView,
    real_reference: records.References,
    classifier: nn.Module,
    sampler: Sampler,
    judge: nn.Module,
    committee: Committee,
    pair_names: dict[str, str],
    boundary: Boundary,
    *,
    settings: CounterfactualsParams,
    run: RunParams,
) -> tuple[records.Counterfactuals, pd.DataFrame, Figure]:
    """Find the smallest changes of errors and borderline test images that change the decision."""
    from borderline.counterfactuals.explain import (
        Surroundings,
        choose_test_images,
        explain_images,
    )
    from borderline.counterfactuals.figure import draw_counterfactuals
    from borderline.measures.class_names import ClassNames

    names = ClassNames.of(pair_names)
    given = Surroundings(
        *(classifier, sampler, judge, committee, pair_train, pair_test, real_view),
        *(real_reference, boundary, names),
    )
    asked = choose_test_images(pair_test, real_view["test_p"], boundary, settings.images)
    found, table = explain_images(asked, given, settings, run)
    figure = draw_counterfactuals(found, table, names, boundary["threshold"], settings.shown)
    return found, table, figure


def describe_patterns(
    borderline: records.Part,
    clusters: records.Clusters,
    prototypes_table: pd.DataFrame,
    cluster_model: ClusterModel,
    pair_train: records.LabelledImages,
    pair_test: records.LabelledImages,
    pair_columns_table: pd.DataFrame,
    real_view: records.RealView,
    boundary: Boundary,
    *,
    settings: PrototypesParams,
    run: RunParams,
) -> pd.DataFrame:
    """Compare each pattern with the model's confident images, in properties and in columns."""
    from itertools import chain

    import torch

    from borderline.pipelines.prototypes.explaining import words

    properties = words.compare_properties(
        *(borderline, clusters, prototypes_table, pair_train, real_view),
        *(settings.tipping.ends(boundary["threshold"]), settings.words, run),
    )
    labels = torch.cat([pair_train["labels"], pair_test["labels"]]).numpy()
    vectors = torch.cat([real_view["train_embeddings"], real_view["test_embeddings"]]).numpy()
    real = pair_columns_table, labels, vectors, prototypes_table, cluster_model
    columns = words.compare_columns(*real, settings.words, run)
    return words.tabulate(chain(properties, columns), settings.words)


def tip_prototypes(
    prototypes: records.Prototypes,
    embeddings: records.Embeddings,
    pair_train: records.LabelledImages,
    real_view: records.RealView,
    classifier: nn.Module,
    sampler: Sampler,
    pair_names: dict[str, str],
    boundary: Boundary,
    *,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[records.Tipping, pd.DataFrame, Figure]:
    """Walk from each prototype to where the model is confident of either class."""
    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.prototypes.explaining.figures import draw_tipping
    from borderline.pipelines.prototypes.explaining.tipping import tip

    vectors = embeddings["embeddings"][prototypes["rows"]].numpy()
    goal = settings.tipping, boundary["threshold"], run.torch_device()
    tipping, table = tip(prototypes, vectors, pair_train, real_view, classifier, sampler, *goal)
    latent = "latents" in prototypes
    names = ClassNames.of(pair_names)
    ends = settings.tipping.ends(boundary["threshold"])
    figure = draw_tipping(
        tipping, pair_train["images"], table, ends, boundary["threshold"], names, latent
    )
    return tipping, table, figure

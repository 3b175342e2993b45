"""Nodes that explain prototypes: attributions, and what would tip the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from borderline import records
    from borderline.params import RunParams
    from borderline.pipelines.prototypes.params import PrototypesParams
    from borderline.sampling import Sampler


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
    """Explain the prototypes by attributions, and score these.

    Returns:
        The attributions; one row a method; the prototypes with their attributions; and the
        deletion and insertion curves.
    """
    from borderline.measures.plots import draw_note
    from borderline.pipelines.prototypes.explaining import explanation, figures

    images = prototypes["images"]
    explainer = explanation.Explainer(classifier, images, pair_train, settings.explanation, run)
    attributions = explainer.attributions()
    table, curves, random = explanation.examine(explainer, attributions)
    if len(images) == 0:
        note = f"No prototypes: {cluster_scores_table['note'].iloc[0]}."
        return attributions, table, draw_note(note), draw_note(note)
    captions = figures.captions_of(prototypes_table)
    sheet = figures.draw_prototypes(images, prototypes["probabilities"], captions, attributions)
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
    """Walk from each prototype to where the model is confident of either class.

    Returns:
        The walks and the nearest real images; one row a prototype and class; and a figure.
    """
    from borderline.pipelines.prototypes.explaining import strips
    from borderline.pipelines.prototypes.explaining.tipping import tip

    vectors = embeddings["embeddings"][prototypes["rows"]].numpy()
    goal = settings.tipping, run.torch_device()
    tipping, table = tip(prototypes, vectors, pair_train, real_view, classifier, sampler, *goal)
    title = strips.title_of(settings.tipping, "latents" in prototypes)
    figure = strips.draw_tipping(strips.strips_of(tipping, pair_train["images"], table), title)
    return tipping, table, figure

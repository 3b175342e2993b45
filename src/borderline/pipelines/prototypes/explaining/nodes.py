"""Nodes that explain the prototypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline import records

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

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

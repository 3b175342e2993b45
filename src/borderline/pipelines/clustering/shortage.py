"""The fitted embeddings, and the reasons why they have no clusters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.tables import best_first
from borderline.records import Embeddings


def fitted_vectors(embeddings: Embeddings) -> np.ndarray:
    """The embeddings that clusterings are fitted on, shape (m, D)."""
    vectors: np.ndarray = embeddings["embeddings"][embeddings["fitted"]].numpy()
    return vectors


def too_few(embeddings: Embeddings, params: ClusteringParams) -> str:
    """Why there are too few images for a search; empty where there are enough."""
    count, least = len(embeddings["embeddings"]), params.fewest_images
    if count < least:
        return f"there are only {count} borderline images (clustering.fewest_images is {least})"
    distinct = len(np.unique(fitted_vectors(embeddings), axis=0))
    if distinct < least:
        return (
            f"the model distinguishes only {distinct} of its borderline images "
            f"(clustering.fewest_images is {least})"
        )
    return ""


def why_no_recipe(embeddings: Embeddings, trials: pd.DataFrame, params: ClusteringParams) -> str:
    """Why the search and the full fits gave no recipe."""
    few = too_few(embeddings, params)
    if few or len(best_first(trials)):
        return few or "no recipe gives usable clusters when it is fitted with clustering.epochs"
    reasons = trials["state"][trials["reduction"].notna()].value_counts()
    return (
        f"none of the {params.trials} trials gives usable clusters (most often: {reasons.index[0]})"
    )

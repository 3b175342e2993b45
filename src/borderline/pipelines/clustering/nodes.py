"""The nodes of stage 4."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch
from matplotlib.figure import Figure
from optuna.storages import BaseStorage
from torch import Tensor, nn

from borderline.measures.inference import embed
from borderline.params import RunParams
from borderline.pipelines.clustering.figures import draw_clusters
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.recipe import score_clusters
from borderline.pipelines.clustering.search import TRIAL_COLUMNS, best_recipe, search


def embed_borderline(
    borderline: dict[str, Tensor], classifier: nn.Module, run: RunParams
) -> dict[str, Tensor]:
    """``embeddings`` (n, D) of the borderline images: what the model's last layer sees of them."""
    # A dry pass gives the width even where there is no image at all.
    images = borderline["images"]
    probe = torch.cat([images, images.new_zeros(1, *images.shape[1:])])
    return {"embeddings": embed(classifier, probe, run.torch_device())[:-1]}


def search_clusters(
    embeddings: dict[str, Tensor],
    study_storage: BaseStorage,
    clustering: ClusteringParams,
    run: RunParams,
) -> Iterator[pd.DataFrame]:
    """The table of the search's trials, after each trial; empty for too few images."""
    vectors = embeddings["embeddings"].numpy()
    if len(vectors) < clustering.fewest_images:
        yield pd.DataFrame(columns=list(TRIAL_COLUMNS))
    else:
        yield from search(vectors, study_storage, clustering, run)


def cluster_borderline(
    borderline: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    trials: pd.DataFrame,
    clustering: ClusteringParams,
    run: RunParams,
) -> tuple[dict[str, Tensor], pd.DataFrame, pd.DataFrame, Figure]:
    """The clusters that the best recipe of the search finds.

    Returns:
        ``labels`` (n,), -1 where nothing was clustered, and ``reduced`` (n, d); the scores as one
        row, with a ``note`` that says why there are no clusters; one row for each cluster; and a
        figure of the clusters' images.
    """
    vectors = embeddings["embeddings"].numpy()
    p = borderline["probabilities"]
    recipe = best_recipe(trials)
    if recipe is None:
        labels, reduced = torch.full((len(vectors),), -1), torch.zeros(len(vectors), 0)
        scores: dict[str, object] = {"silhouette": None, "davies_bouldin": None}
        note = (
            f"only {len(vectors)} of the {clustering.fewest_images} borderline images that "
            "clustering.fewest_images asks for"
            if len(vectors) < clustering.fewest_images
            else f"none of the {len(trials)} trials found two clusters"
        )
    else:
        points = recipe.reduce(vectors, run.seed_for("umap"))
        labels = torch.from_numpy(recipe.cluster(points, run.seed_for("gmm")))
        reduced = torch.from_numpy(points)
        scores, note = {**score_clusters(points, labels.numpy())}, ""
    clusters = int(labels.max()) + 1 if len(labels) else 0
    row = {"images": len(labels), "clusters": clusters, **scores, "note": note}
    sizes = pd.DataFrame(
        [
            {
                "cluster": cluster,
                "images": int((labels == cluster).sum()),
                "mean_p": p[labels == cluster].double().mean().item(),
            }
            for cluster in range(clusters)
        ],
        columns=["cluster", "images", "mean_p"],
    )
    figure = draw_clusters(borderline["images"], p, labels)
    return {"labels": labels, "reduced": reduced}, pd.DataFrame([row]), sizes, figure

"""The chosen clusters: their model, their tables, and the images that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from borderline.measures.confusion import is_borderline
from borderline.params import RunParams
from borderline.pipelines.clustering.exemplars import ExemplarModel, joint
from borderline.pipelines.clustering.finalists import STABILITY_SCORES
from borderline.pipelines.clustering.params import ClusteringParams, ExemplarsParams
from borderline.pipelines.clustering.recipe import ClusterModel, NoClusters, Recipe
from borderline.pipelines.clustering.reductions import neighbours_of
from borderline.pipelines.clustering.scores import SCORES
from borderline.records import Clusters, Embeddings, Part, Pool, RealView


def fit_model(
    vectors: np.ndarray, recipe: Mapping[str, str], params: ClusteringParams, run: RunParams
) -> ClusterModel | NoClusters:
    """Fit the chosen recipe to embeddings (m, D); no clusters where it has a ``note`` instead."""
    if recipe["note"]:
        return NoClusters()
    neighbours = neighbours_of(vectors, params)
    model = Recipe.of_row(recipe).fit(vectors, neighbours, params.epochs, run)
    assert model is not None, "choose_recipe fitted the same"
    return model


def choose_exemplars(
    embeddings: Embeddings, features: np.ndarray, pool: Pool, settings: ExemplarsParams
) -> ExemplarModel:
    """Choose the exemplars among the borderline images, with the judge's features (n, F).

    They represent the pool, or these images themselves where there is none.
    """
    vectors = embeddings["embeddings"].numpy()
    candidates = joint(vectors, features)
    audience = candidates
    if len(pool["embeddings"]):
        audience = joint(pool["embeddings"].numpy(), pool["features"].numpy())
    return ExemplarModel.of(vectors, candidates, audience, settings)


def label_all(
    embeddings: Embeddings, model: ClusterModel | ExemplarModel | NoClusters, *, pooled: bool
) -> Clusters:
    """The clusters of all images: those of the fit, and for the other images an assignment."""
    vectors, fitted = embeddings["embeddings"].numpy(), embeddings["fitted"].numpy()
    if pooled or not isinstance(model, ClusterModel):
        columns = list(model.assign(vectors))
    else:
        others = np.setdiff1d(np.arange(len(vectors)), fitted)
        of_fit = model.clusters.labels, model.clusters.probabilities(model.points), model.points
        columns = []
        for known, assigned in zip(of_fit, model.assign(vectors[others]), strict=True):
            column = np.empty((len(vectors), *known.shape[1:]), dtype=known.dtype)
            column[fitted], column[others] = known, assigned
            columns.append(column)
    labels, probability, reduced = (torch.from_numpy(column) for column in columns)
    clusters: Clusters = {"labels": labels, "probability": probability, "reduced": reduced}
    if isinstance(model, ExemplarModel):
        clusters["exemplars"] = torch.from_numpy(model.rows)
    return clusters


def describe(
    embeddings: Embeddings,
    recipe: Mapping[str, str],
    finalists: pd.DataFrame,
    structure: pd.DataFrame,
    exemplars: int,
) -> pd.DataFrame:
    """The scores of the clusters in one row, with the doubts about them or the reason for none.

    Of a continuum, the row has the number of its exemplars and the reason to call it one.
    """
    scores = ("recipe", *SCORES, *STABILITY_SCORES)
    row: dict[str, Any] = {"images": len(embeddings["embeddings"])}
    row |= {"fitted": len(embeddings["fitted"]), **dict.fromkeys((*scores, "structure_p"), np.nan)}
    row |= {"recipe": "", "clusters": 0, "doubts": "", "continuum": "", "note": recipe["note"]}
    if exemplars:
        reason = why_continuum(recipe, structure)
        how = f"facility location, {exemplars} exemplars"
        row |= {"recipe": how, "clusters": exemplars, "continuum": reason}
    elif not recipe["note"]:
        chosen, clouds = finalists[finalists["chosen"]].iloc[0], structure.iloc[0]
        row |= {name: chosen[name] for name in scores}
        doubts = "; ".join(filter(None, (clouds["doubt"], recipe["doubt"])))
        row |= {"structure_p": clouds["p_value"], "doubts": doubts}
    return pd.DataFrame([row])


def why_continuum(recipe: Mapping[str, str], structure: pd.DataFrame) -> str:
    """Why the images form a continuum rather than clusters; empty where they do not.

    Only the objective ``reproducibility`` calls them one.
    """
    if "continuum" not in recipe:
        return ""
    return recipe["continuum"] or str(structure["doubt"].iloc[0] or "")


def sizes(borderline: Part, clusters: Clusters, cluster_stability: pd.DataFrame) -> pd.DataFrame:
    """A row for each cluster: its images, their mean p and membership, its stability.

    The stability of an exemplar is unknown.
    """
    stabilities = cluster_stability["stability"]
    if "exemplars" in clusters:
        stabilities = pd.Series(np.nan, index=range(len(clusters["exemplars"])))
    rows = []
    for cluster, stability in enumerate(stabilities):
        here = clusters["labels"] == cluster
        mean_p = borderline["probabilities"][here].double().mean().item()
        mean_probability = clusters["probability"][here].mean().item()
        rows.append((cluster, int(here.sum()), mean_p, mean_probability, stability))
    columns = ["cluster", "images", "mean_p", "mean_probability", "stability"]
    return pd.DataFrame(rows, columns=columns)


def assign_borderline(
    labels: Tensor, view: RealView, model: ClusterModel | ExemplarModel | NoClusters, band: float
) -> pd.DataFrame:
    """Assign the borderline real test images, whose classes are ``labels`` (M,), to clusters.

    The rows are sorted by cluster (-1 for none), the most probable first.
    """
    rows = is_borderline(view["test_p"], band).nonzero()[:, 0]
    vectors = view["test_embeddings"][rows].numpy()
    clusters, probability, _ = model.assign(vectors)
    columns = {
        "row": rows.numpy(),
        "label": labels[rows].numpy(),
        "p": view["test_p"][rows].numpy(),
        "cluster": clusters,
        "probability": probability,
        "typicality": model.typicality(vectors),
    }
    order = np.lexsort((-probability, clusters))
    return pd.DataFrame({name: column[order] for name, column in columns.items()})

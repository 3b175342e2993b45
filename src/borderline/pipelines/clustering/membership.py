"""The chosen clusters: their model, their tables, and the images that belong to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from borderline.boundary import Boundary
from borderline.findings import written
from borderline.measures.confusion import is_borderline
from borderline.measures.facility_location import joint
from borderline.params import RunParams
from borderline.pipelines.clustering.exemplars import ExemplarModel
from borderline.pipelines.clustering.finalists import STABILITY_SCORES
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.pool import audience_of, find_artefacts, groups_of, joined
from borderline.pipelines.clustering.recipe import ClusterModel, NoClusters, Recipe
from borderline.pipelines.clustering.reductions import neighbours_of
from borderline.pipelines.clustering.scores import ORIGINAL_INDEX, SCORES
from borderline.pipelines.clustering.search import fitted_vectors
from borderline.records import Clusters, Embeddings, Part, Pool, RealView


def fit_model(
    vectors: np.ndarray, recipe: Mapping[str, str], params: ClusteringParams, run: RunParams
) -> ClusterModel | NoClusters:
    """Fit the chosen recipe to embeddings (m, D); no clusters where it has a ``note`` instead."""
    if recipe["note"]:
        return NoClusters()
    neighbours = neighbours_of(vectors, params)
    model = Recipe.of_row(recipe).fit(vectors, neighbours, params, run)
    assert model is not None, "choose_recipe fitted the same"
    return model


class Found(NamedTuple):
    """The clusters or exemplars of a run.

    Attributes:
        model: Assigns images to them.
        removed: The clusters of the fit that are no pattern, because they are artefacts.
        artefacts: Sentences about them.
        doubt: Sentences about artefacts that are not removed.
        note: Why there are no patterns; empty where there are some.
    """

    model: ClusterModel | ExemplarModel | NoClusters
    removed: Collection[int] = ()
    artefacts: str = ""
    doubt: str = ""
    note: str = ""


def find(
    embeddings: Embeddings,
    features: Callable[[], np.ndarray],
    recipe: Mapping[str, str],
    finalists: pd.DataFrame,
    structure: pd.DataFrame,
    pool: Pool,
    gans: Mapping[str, int],
    params: ClusteringParams,
    run: RunParams,
) -> Found:
    """Fit the recipe, name the artefacts among its clusters, and choose exemplars of a continuum.

    Artefacts are removed where the generators are clustered together, and, in a continuum, where
    they are the reason for it.

    Args:
        embeddings: Of the borderline images.
        features: Gives their features of the judge, (n, F), which only a continuum needs.
        recipe: The recipe, or the ``note`` why there is none.
        finalists: The table of the finalists.
        structure: The table of the test for clusters.
        pool: The borderline images of all generators.
        gans: The number of the GAN of each generator.
        params: The settings.
        run: Gives the seeds.
    """
    model = fit_model(fitted_vectors(embeddings, pool, params), recipe, params, run)
    if isinstance(model, NoClusters):
        return Found(model, note=recipe["note"])
    limits, groups = params.reproducibility, groups_of(pool, gans)
    artefacts: dict[int, str] = {}
    if groups:
        in_pool, _, _ = model.assign(joined(pool, "embeddings"))
        artefacts = find_artefacts(in_pool, groups, limits.artefact)
    vectors, continuum = embeddings["embeddings"].numpy(), why_continuum(recipe, structure)
    labels, _, _ = model.assign(vectors)
    all_of_one = bool(artefacts) and bool(np.isin(labels, list(artefacts)).all())
    removes = params.together
    if continuum:
        held = finalists[finalists["chosen"]].iloc[0]["prediction_strength"] >= limits.least
        alone = len(model.clusters.order) - len(artefacts) == 1
        removes &= bool(held) and alone and not all_of_one
    says = say_artefacts(artefacts, labels, limits.artefact, removed=removes)
    if removes:
        model = replace(model, artefacts=artefacts)
    if continuum:
        exemplars = choose_exemplars(vectors, features(), pool, model)
        exemplars = replace(exemplars, tested=not recipe["continuum"])
        return Found(exemplars, artefacts=says if removes else "")
    if not removes:
        return Found(model, doubt=says)
    if all_of_one:
        return Found(NoClusters(), range(len(model.clusters.order)), note=says)
    return Found(model, artefacts, artefacts=says)


def choose_exemplars(
    vectors: np.ndarray, features: np.ndarray, pool: Pool, model: ClusterModel
) -> ExemplarModel:
    """Choose the exemplars among the borderline images.

    They represent the images of all generators, or these images alone where the generators are not
    clustered together. Images of an artefact have none.

    Args:
        vectors: Embeddings of the borderline images, (n, D).
        features: Their features of the judge, (n, F).
        pool: The borderline images of all generators.
        model: The clusters that are not found again, perhaps with artefacts.
    """
    candidates = joint(vectors, features)
    audience = audience_of(candidates, pool, model.params)
    clusters = model if model.artefacts else None
    return ExemplarModel.of(model.recipe, model.params, vectors, candidates, audience, clusters)


def label_all(
    embeddings: Embeddings, model: ClusterModel | ExemplarModel | NoClusters, *, together: bool
) -> Clusters:
    """The clusters of all images: those of the fit, and for the other images an assignment."""
    vectors, fitted = embeddings["embeddings"].numpy(), embeddings["fitted"].numpy()
    if together or not isinstance(model, ClusterModel):
        columns = list(model.assign(vectors))
    else:
        others = np.setdiff1d(np.arange(len(vectors)), fitted)
        of_fit = model.labels, model.clusters.probabilities(model.points), model.points
        columns = []
        for known, assigned in zip(of_fit, model.assign(vectors[others]), strict=True):
            column = np.empty((len(vectors), *known.shape[1:]), dtype=known.dtype)
            column[fitted], column[others] = known, assigned
            columns.append(column)
    labels, probability, reduced = (torch.from_numpy(column) for column in columns)
    clusters: Clusters = {"labels": labels, "probability": probability, "reduced": reduced}
    if isinstance(model, ExemplarModel):
        clusters["exemplars"] = torch.from_numpy(model.exemplars)
    return clusters


def describe(
    embeddings: Embeddings,
    clusters: Clusters,
    recipe: Mapping[str, str],
    finalists: pd.DataFrame,
    structure: pd.DataFrame,
    found: Found,
    fitted: int,
    *,
    together: bool,
) -> pd.DataFrame:
    """The scores of the clusters in one row, with the doubts about them or the reason for none.

    Of a continuum, the row has the number of its exemplars and the reason to call it one. Scores
    are those of the fit, on ``fitted`` images. Where all generators are clustered ``together``,
    sizes and noise are those of the generator's own images, without artefacts.
    """
    sought = [ORIGINAL_INDEX] if ORIGINAL_INDEX in finalists else []
    scores = ("recipe", *SCORES, *sought, *STABILITY_SCORES)
    row: dict[str, Any] = {"images": len(embeddings["embeddings"])}
    row |= {"fitted": fitted, **dict.fromkeys((*scores, "structure_p"), np.nan)}
    row |= {"recipe": "", "clusters": 0, "doubts": "", "continuum": "", "note": found.note}
    row["artefacts"] = found.artefacts
    exemplars = len(clusters.get("exemplars", ()))
    if exemplars:
        reason = why_continuum(recipe, structure)
        how = f"facility location, {exemplars} exemplars"
        row |= {"recipe": how, "clusters": exemplars, "continuum": reason}
    elif not found.note:
        chosen, clouds = finalists[finalists["chosen"]].iloc[0], structure.iloc[0]
        row |= {name: chosen[name] for name in scores}
        doubts = "; ".join(filter(None, (clouds["doubt"], recipe["doubt"], found.doubt)))
        row |= {"structure_p": clouds["p_value"], "doubts": doubts}
        if together:
            count, labels = int(chosen["clusters"]) - len(found.removed), clusters["labels"]
            sizes = labels[labels >= 0].bincount(minlength=count).tolist()
            row |= {"clusters": count, "sizes": " ".join(map(str, sizes))}
            row |= {"noise": (labels < 0).double().mean().item()}
            empty = [str(cluster) for cluster, size in enumerate(sizes) if size == 0]
            row["artefacts"] = ". ".join(filter(None, (found.artefacts, _said_of_empty(empty))))
    return pd.DataFrame([row])


def _said_of_empty(clusters: Sequence[str]) -> str:
    if not clusters:
        return ""
    which = f"cluster{'' if len(clusters) == 1 else 's'} {' and '.join(clusters)}"
    return f"Only other generators make images of {which}, so this generator has no pattern there"


def say_artefacts(
    artefacts: Mapping[int, str], labels: np.ndarray, share: float, *, removed: bool
) -> str:
    """One sentence for each artefact; ``labels`` (n,) are the clusters before any is removed."""
    sentences = []
    for cluster, name in artefacts.items():
        count = int((labels == cluster).sum())
        if count == 0:  # Other generators made it.
            continue
        images = f"{count:,} of {len(labels):,} borderline images"
        which = "They are no pattern" if removed else f"They are cluster {cluster}"
        sentences.append(
            f"{images} are an artefact of {name}, which makes at least "
            f"{written('{:.0%}', share)} of the images like them. {which}"
        )
    return ". ".join(sentences)


def why_continuum(recipe: Mapping[str, str], structure: pd.DataFrame) -> str:
    """Why the images form a continuum rather than clusters; empty where they do not.

    Only the objective ``reproducibility`` calls them one.
    """
    if "continuum" not in recipe:
        return ""
    return recipe["continuum"] or str(structure["doubt"].iloc[0] or "")


def sizes(
    borderline: Part,
    clusters: Clusters,
    cluster_stability: pd.DataFrame,
    artefacts: Collection[int] = (),
) -> pd.DataFrame:
    """A row for each cluster: its images, their mean p and membership, its stability.

    The stability of an exemplar is unknown. ``artefacts`` are removed clusters.
    """
    stabilities = cluster_stability["stability"].drop(list(artefacts))
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
    labels: Tensor,
    view: RealView,
    model: ClusterModel | ExemplarModel | NoClusters,
    boundary: Boundary,
) -> pd.DataFrame:
    """Assign the borderline real test images, whose classes are ``labels`` (M,), to clusters.

    The rows are sorted by cluster (-1 for none), the most probable first.
    """
    rows = is_borderline(view["test_p"], boundary).nonzero()[:, 0]
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

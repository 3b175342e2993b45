"""The selections: ways to choose as many prototypes as there are clusters.

The first selections choose one image of each cluster, in the space that was clustered or, with
``_embedding`` in their name, by cosine distance in the model's embedding:

- ``medoid``: smallest sum of distances to the others, the first of equal ones; in the space that
  was clustered, the prototype of Gomes et al. 2024.
- ``centroid``: nearest to the mean.
- ``density``: nearest k-th neighbour, k the square root of the cluster's size (Loftsgaarden and
  Quesenberry 1965).
- ``random``: any.

``k_medoids``, ``mmd_critic`` and ``exemplars`` (the greedy maximum of facility location, Nemhauser
et al. 1978) choose among all images and do not use the clusters. In a continuum the stage before
has chosen the exemplars; they are shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import kmedoids
import numpy as np
import pandas as pd
import torch

from borderline.boundary import Boundary
from borderline.measures.facility_location import facility_location
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.mmd_critic import choose_criticisms, choose_prototypes
from borderline.pipelines.prototypes.choosing.names import Selection
from borderline.pipelines.prototypes.choosing.of_clusters import select_of_clusters
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.records import Clusters, Embeddings, Part, Prototypes, Repeat, Selections

EXEMPLARS: Selection = "exemplars"
"""The selection of a continuum."""
_RANDOM_STARTS = 4
_COLUMNS = ("prototype", "cluster", "images", "mean_p", "stability", "row", "p", "chosen_by")

Way = Callable[[Candidates], np.ndarray]
"""Chooses rows of candidates."""


def choose(
    borderline: Part,
    embeddings: Embeddings,
    clusters: Clusters,
    settings: PrototypesParams,
    run: RunParams,
) -> Selections:
    """Draw the candidates, and choose from them by every selection of the settings."""
    drawn = torch.randperm(len(borderline["images"]), generator=run.generator("candidates"))
    exemplars = clusters.get("exemplars", drawn[:0])
    rows = torch.cat([exemplars, drawn[: settings.images]]).unique()
    selections = {"candidates": rows}
    candidates = candidates_of(selections, borderline, embeddings, clusters)
    for name in settings.selections:
        selections[name] = rows[way_of(name, run)(candidates)]
    if "exemplars" in clusters:
        selections[EXEMPLARS] = exemplars
    criticisms = np.zeros(0, dtype=np.int64)
    if number := len(candidates.clusters):
        distances = candidates.cosine_distances
        prototypes = choose_prototypes(distances, number)
        criticisms = choose_criticisms(distances, prototypes, settings.criticisms)
    return {**selections, "criticisms": rows[criticisms]}


def shown_in(clusters: Clusters, settings: PrototypesParams) -> Selection:
    """The selection that is shown: exemplars if the images form a continuum."""
    return EXEMPLARS if "exemplars" in clusters else settings.shown


def candidates_of(
    selections: Selections,
    borderline: Part,
    embeddings: Embeddings,
    clusters: Clusters,
    boundary: Boundary | None = None,
) -> Candidates:
    """The borderline images that the selections choose from; distances need the boundary."""
    rows = selections["candidates"]
    images: Repeat = {
        "embeddings": embeddings["embeddings"][rows],
        "reduced": clusters["reduced"][rows],
        "labels": clusters["labels"][rows],
        "probabilities": borderline["probabilities"][rows],
    }
    return Candidates.of(images, boundary)


def tabulate(
    prototypes: Prototypes, clusters: Clusters, sizes: pd.DataFrame, shown: Selection
) -> pd.DataFrame:
    """One row a prototype, with its cluster and the size of that; by ``_COLUMNS``."""
    rows = prototypes["rows"]
    table = pd.DataFrame(
        {
            "prototype": range(len(rows)),
            "cluster": clusters["labels"][rows].tolist(),
            "row": rows.tolist(),
            "p": prototypes["probabilities"].tolist(),
            "chosen_by": shown,
        }
    ).astype({"cluster": int})
    of_clusters = sizes[["cluster", "images", "mean_p", "stability"]]
    return table.merge(of_clusters, how="left", on="cluster")[list(_COLUMNS)]


def way_of(selection: Selection, run: RunParams) -> Way:
    """A selection with the run's seed."""
    return partial(select, selection, seed=run.seed_for("selection", selection))


def most_ambiguous(candidates: Candidates) -> np.ndarray:
    """The rows of the images with the smallest confusion distance, as many as clusters."""
    order = np.argsort(candidates.distances, kind="stable")
    return np.asarray(order[: len(candidates.clusters)])


def select(selection: Selection, candidates: Candidates, seed: int) -> np.ndarray:
    """The rows (K,) of as many prototypes as there are clusters, in the order of the clusters.

    The seed is that of ``random`` and of the starts of ``k_medoids``, which has another order.
    """
    clusters = candidates.clusters
    if len(clusters) == 0:
        return np.zeros(0, dtype=np.int64)
    if selection == "k_medoids":
        return k_medoids(candidates.cosine_distances, len(clusters), seed)
    if selection == "mmd_critic":
        return choose_prototypes(candidates.cosine_distances, len(clusters))
    if selection == EXEMPLARS:
        if candidates.exemplars is not None:
            return candidates.exemplars
        return facility_location(1 - candidates.cosine_distances, len(clusters))[0]
    rows: np.ndarray = select_of_clusters(selection, candidates, candidates.labels[None], seed)[0]
    return rows


def k_medoids(distances: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The images with the smallest sum of distances from every image to its nearest medoid.

    FasterPAM (Schubert and Rousseeuw 2021): the best result of the greedy start of PAM and of a few
    random starts. With similarity 1 - distance this maximises the facility location, up to a local
    optimum.

    Returns:
        Rows in ascending order, shape (K,).
    """
    results = [
        kmedoids.fasterpam(distances, count, init=start, random_state=(seed + i) % 2**32, n_cpu=1)
        for i, start in enumerate(["build", *["random"] * _RANDOM_STARTS])
    ]
    best = np.unique(min(results, key=lambda result: result.loss).medoids.astype(np.int64))
    # With equal images it may give fewer: the images farthest from all medoids fill the list up.
    farthest = np.argsort(-distances[:, best].min(1), kind="stable")
    others = farthest[~np.isin(farthest, best)][: count - len(best)]
    return np.sort(np.concatenate([best, others]))

"""A recipe for clusters (a reduction, then a clustering), and the model that it gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import NOISE, Clustering, FittedClustering
from borderline.pipelines.clustering.reductions import Neighbours, Reduction, nearest_neighbours

_NEAREST = 10
RECIPE_COLUMNS = ("reduction", "clustering", "reduction_settings", "clustering_settings")


@dataclass(frozen=True)
class Recipe:
    """A reduction and a clustering with their settings."""

    reduction: Reduction
    clustering: Clustering

    def __str__(self) -> str:
        """The recipe as people write it: ``pca(n_components=3) + kmeans(n_clusters=4)``."""
        steps = (
            f"{step.kind}({', '.join(f'{k}={v:.3g}' for k, v in step.settings.items())})"
            for step in (self.reduction, self.clustering)
        )
        return " + ".join(steps)

    def as_row(self) -> dict[str, str]:
        """The recipe in a table, by ``RECIPE_COLUMNS``."""
        steps = self.reduction, self.clustering
        values = [step.kind for step in steps] + [json.dumps({**s.settings}) for s in steps]
        return dict(zip(RECIPE_COLUMNS, values, strict=True))

    @classmethod
    def of_row(cls, row: Mapping[str, Any] | pd.Series) -> Self:
        """The recipe of a row of ``as_row``."""
        reduction, clustering, *settings = (row[column] for column in RECIPE_COLUMNS)
        first, second = (json.loads(text) for text in settings)
        return cls(Reduction(reduction, first), Clustering(clustering, second))

    def fit(
        self,
        embeddings: np.ndarray,
        neighbours: Neighbours | None,
        epochs: int,
        run: RunParams,
        attempt: int = 0,
    ) -> ClusterModel | None:
        """Reduce and cluster embeddings (N, D) with the seeds of an attempt; None for no fit."""
        first, second = (run.seed_for(step, attempt) for step in ("reduction", "clustering"))
        # The points are few, and another number of threads would change the last bits.
        with threadpool_limits(1):
            points = self.reduction.reduce(embeddings, neighbours, first, epochs)
            clusters = self.clustering.fit(points, second)
        if clusters is None:
            return None
        return ClusterModel(self, epochs, embeddings, points, clusters)


@dataclass(frozen=True)
class ClusterModel:
    """The fit of a recipe, which can assign new images to its clusters.

    It has the fitted embeddings (N, D) and their coordinates (N, d), float64, in the reduced space.
    """

    recipe: Recipe
    epochs: int
    embeddings: np.ndarray
    points: np.ndarray
    clusters: FittedClustering

    def again(self, embeddings: np.ndarray, run: RunParams, attempt: int) -> ClusterModel | None:
        """Fit the recipe to other embeddings (M, D), with the seeds of another attempt."""
        k = int(self.recipe.reduction.settings.get("n_neighbors", 2))
        neighbours = nearest_neighbours(embeddings, k)
        return self.recipe.fit(embeddings, neighbours, self.epochs, run, attempt)

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels (M,), their probabilities (M,) and coordinates (M, d) of new embeddings (M, D)."""
        points = self.recipe.reduction.place(embeddings, self.embeddings, self.points)
        return (*self.clusters.assign(points), points)

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """How similar new images (M, D) are to the fitted ones, in (0, 1]; outliers are below .05.

        Mixtures and k-means have no noise: they assign outliers too, often with a high probability.
        """
        return typicality(self.embeddings, embeddings)


@dataclass(frozen=True)
class NoClusters:
    """The :class:`ClusterModel` of a run without clusters."""

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Label -1, probability 0 and no coordinates for all images."""
        count = len(embeddings)
        return np.full(count, NOISE), np.zeros(count), np.zeros((count, 0))

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """NaN for all images."""
        return np.full(len(embeddings), np.nan)


def typicality(fitted: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """How similar new images (M, D) are to others (N, D), in (0, 1]; outliers are below .05.

    The conformal p-value of their mean cosine distance to the nearest of the others: the share of
    the others with at least this distance.
    """
    if len(embeddings) == 0:
        return np.zeros(0)
    count = min(_NEAREST, len(fitted) - 1)
    near = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute")
    known = near.fit(fitted).kneighbors()[0].mean(1)
    new = near.kneighbors(embeddings)[0].mean(1)
    as_far = len(known) - np.searchsorted(np.sort(known), new, side="left")
    return np.asarray((1 + as_far) / (1 + len(known)))

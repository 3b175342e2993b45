"""A recipe for clusters (a reduction, then a clustering), and the model that it gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import NOISE, Clustering, FittedClustering
from borderline.pipelines.clustering.number import Number, choose_number
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.pool import joined
from borderline.pipelines.clustering.reductions import Neighbours, Reduction, nearest_neighbours
from borderline.pipelines.clustering.typicality import typicality
from borderline.records import Pool

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
        params: ClusteringParams,
        run: RunParams,
        attempt: int = 0,
    ) -> ClusterModel | None:
        """Reduce and cluster embeddings (N, D) with the seeds of an attempt; None for no fit."""
        first, second = (run.seed_for(step, attempt) for step in ("reduction", "clustering"))
        # The points are few, and another number of threads would change the last bits.
        with threadpool_limits(1):
            points = self.reduction.reduce(embeddings, neighbours, first, params.epochs)
            clusters = self.clustering.fit(points, second)
        if clusters is None:
            return None
        return ClusterModel(self, params, embeddings, points, clusters)


@dataclass(frozen=True)
class ClusterModel:
    """The fit of a recipe, which can assign new images to its clusters.

    Attributes:
        recipe: The recipe.
        params: The settings of the search.
        embeddings: The fitted embeddings, (N, D).
        points: Their coordinates in the reduced space, float64 (N, d).
        clusters: The clusters of the fit, with artefacts.
        artefacts: The clusters that only one generator or GAN fills, with its name; their images
            are noise.
    """

    recipe: Recipe
    params: ClusteringParams
    embeddings: np.ndarray
    points: np.ndarray
    clusters: FittedClustering
    artefacts: Mapping[int, str] = field(default_factory=dict)

    @property
    def labels(self) -> np.ndarray:
        """The clusters of the fitted images without the artefacts, (N,), from 0; -1 for noise."""
        return self._without_artefacts(self.clusters.labels)

    @property
    def exemplars(self) -> None:
        """None: there are clusters."""

    def refit(self, embeddings: np.ndarray, run: RunParams, attempt: int) -> ClusterModel | None:
        """Fit the recipe to other embeddings (M, D), with the seeds of another attempt."""
        k = int(self.recipe.reduction.settings.get("n_neighbors", 2))
        neighbours = nearest_neighbours(embeddings, k)
        return self.recipe.fit(embeddings, neighbours, self.params, run, attempt)

    def again(
        self,
        embeddings: np.ndarray,
        features: np.ndarray,
        pool: Pool,
        run: RunParams,
        attempt: int,
    ) -> ClusterModel | None:
        """Fit the recipe to other images; see ``prototypes.cluster_model``."""
        together = self.params.together and pool
        vectors = joined(pool, "embeddings") if together else embeddings
        return self.refit(vectors, run, attempt)

    def choose_number(
        self,
        embeddings: np.ndarray,
        features: np.ndarray,
        pool: Pool,
        gans: Mapping[str, int],
        run: RunParams,
    ) -> Number:
        """The number of clusters or exemplars of other images; see ``choose_number``."""
        steps = self.recipe.reduction, self.recipe.clustering
        return choose_number(*steps, embeddings, features, pool, gans, self.params, run)

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels (M,), their probabilities (M,) and coordinates (M, d) of new embeddings (M, D)."""
        points = self.recipe.reduction.place(embeddings, self.embeddings, self.points)
        labels, probabilities = self.clusters.assign(points)
        return self._without_artefacts(labels), probabilities, points

    def _without_artefacts(self, labels: np.ndarray) -> np.ndarray:
        if not self.artefacts:
            return labels
        kept = [c for c in range(len(self.clusters.order)) if c not in self.artefacts]
        renumbered = np.full(len(self.clusters.order) + 1, NOISE)
        renumbered[kept] = range(len(kept))
        return np.asarray(renumbered[labels])

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

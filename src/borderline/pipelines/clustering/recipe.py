"""One way to find patterns: a reduction, then a clustering."""

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
from borderline.pipelines.clustering.neighbours import Neighbours, nearest_neighbours
from borderline.pipelines.clustering.reductions import Reduction

_NEAREST = 10
RECIPE_COLUMNS = ("reduction", "clustering", "reduction_settings", "clustering_settings")


@dataclass(frozen=True)
class Recipe:
    """A reduction and a clustering with their settings."""

    reduction: Reduction
    clustering: Clustering

    def __str__(self) -> str:
        """As a person would call it."""
        parts = (
            f"{part.kind}({', '.join(f'{k}={v:.3g}' for k, v in part.settings.items())})"
            for part in (self.reduction, self.clustering)
        )
        return " + ".join(parts)

    def as_row(self) -> dict[str, str]:
        """The recipe in a table, by ``RECIPE_COLUMNS``."""
        parts = self.reduction, self.clustering
        values = [part.kind for part in parts] + [json.dumps({**p.settings}) for p in parts]
        return dict(zip(RECIPE_COLUMNS, values, strict=True))

    @classmethod
    def of_row(cls, row: Mapping[str, Any] | pd.Series) -> Self:
        """The recipe of a row that ``as_row`` gave."""
        reduction, clustering, *settings = (row[column] for column in RECIPE_COLUMNS)
        first, second = (json.loads(part) for part in settings)
        return cls(Reduction(reduction, first), Clustering(clustering, second))

    def fit(
        self,
        embeddings: np.ndarray,
        neighbours: Neighbours | None,
        epochs: int,
        run: RunParams,
        attempt: int = 0,
    ) -> ClusterModel | None:
        """Follow the recipe.

        Args:
            embeddings: Shape (N, D).
            neighbours: Of at least as many rows as the reduction asks for; only UMAP asks.
            epochs: Of the reduction.
            run: The seed.
            attempt: Another number has other seeds.

        Returns:
            The clusters and the way to them; None where the clustering could not be done.
        """
        first, second = (run.seed_for(part, attempt) for part in ("reduction", "clustering"))
        # The points are few, and another number of threads would change the last bits.
        with threadpool_limits(1):
            points = self.reduction.reduce(embeddings, neighbours, first, epochs)
            found = self.clustering.fit(points, second)
        return None if found is None else ClusterModel(self, epochs, embeddings, points, found)


@dataclass(frozen=True)
class ClusterModel:
    """Clusters that new images can be assigned to.

    Attributes:
        recipe: How they were found.
        epochs: Those of the reduction.
        embeddings: Those that were fitted, shape (N, D).
        points: What they were reduced to, shape (N, d), float64.
        clusters: What was found there.
    """

    recipe: Recipe
    epochs: int
    embeddings: np.ndarray
    points: np.ndarray
    clusters: FittedClustering

    def again(self, embeddings: np.ndarray, run: RunParams, attempt: int) -> ClusterModel | None:
        """Follow the recipe on other images, with other seeds.

        Args:
            embeddings: Shape (M, D).
            run: The seed.
            attempt: Its number; each has seeds of its own.

        Returns:
            What it finds there; None where the clustering could not be done.
        """
        wanted = int(self.recipe.reduction.settings.get("n_neighbors", 2))
        neighbours = nearest_neighbours(embeddings, wanted, run.seed_for("neighbours", attempt))
        return self.recipe.fit(embeddings, neighbours, self.epochs, run, attempt)

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Assign new images to the clusters.

        Args:
            embeddings: Of the model under test, shape (M, D); may be none.

        Returns:
            Labels, shape (M,), -1 for noise; their probabilities, shape (M,), as
            ``FittedClustering.assign`` gives them; and their places, shape (M, d).
        """
        points = self.recipe.reduction.place(embeddings, self.embeddings, self.points)
        return (*self.clusters.assign(points), points)

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """How much new images are like the fitted ones at all, whatever cluster they join.

        The conformal p-value of their mean cosine distance to the nearest fitted images: of so
        large a share of the fitted ones, the same distance is at least as large. A mixture or
        k-means has no noise and assigns what is like nothing, often with a high probability.

        Args:
            embeddings: Shape (M, D); may be none.

        Returns:
            Values in (0, 1], shape (M,); below .05, an image is an outlier.
        """
        if len(embeddings) == 0:
            return np.zeros(0)
        count = min(_NEAREST, len(self.embeddings) - 1)
        near = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute")
        own = near.fit(self.embeddings).kneighbors()[0].mean(1)
        new = near.kneighbors(embeddings)[0].mean(1)
        reached = len(own) - np.searchsorted(np.sort(own), new, side="left")
        return np.asarray((1 + reached) / (1 + len(own)))


@dataclass(frozen=True)
class NoClusters:
    """What stands for a :class:`ClusterModel` where nothing was found."""

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """No image belongs to anything: -1, probability 0, no place."""
        count = len(embeddings)
        return np.full(count, NOISE), np.zeros(count), np.zeros((count, 0))

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """Not known: NaN."""
        return np.full(len(embeddings), np.nan)

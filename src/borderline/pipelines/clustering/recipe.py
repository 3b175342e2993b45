"""A recipe for clusters (a reduction, then a clustering), and the model that it gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from borderline.grid import base_name
from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import NOISE, Clustering, FittedClustering
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.pool import find_artefacts, groups_of, joined, network_name
from borderline.pipelines.clustering.reductions import Neighbours, Reduction, nearest_neighbours
from borderline.pipelines.clustering.typicality import typicality
from borderline.records import Side, generators_in

if TYPE_CHECKING:
    from borderline.pipelines.clustering.number import Number

RECIPE_COLUMNS = ("reduction", "clustering", "reduction_settings", "clustering_settings")


@dataclass(frozen=True)
class Recipe:
    """A reduction and a clustering with their settings."""

    reduction: Reduction
    clustering: Clustering

    def __str__(self) -> str:
        """The recipe as people write it: ``pca(n_components=3) + kmeans(n_clusters=4)``."""
        steps = (
            f"{step.kind}({', '.join(f'{k}={_written(v)}' for k, v in step.settings.items())})"
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

    def of_number(self, clusters: int) -> Self:
        """The same recipe with another number of clusters."""
        return type(self)(self.reduction, self.clustering.of_number(clusters))

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


def _written(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


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

    @property
    def threads(self) -> int:
        """See ``prototypes.cluster_model``."""
        return self.recipe.reduction.threads

    def refit(self, embeddings: np.ndarray, run: RunParams, attempt: int) -> ClusterModel | None:
        """Fit the recipe to other embeddings (M, D), with the seeds of another attempt."""
        k = int(self.recipe.reduction.settings.get("n_neighbors", 2))
        neighbours = nearest_neighbours(embeddings, k)
        return self.recipe.fit(embeddings, neighbours, self.params, run, attempt)

    def again(self, side: Side, run: RunParams, attempt: int) -> ClusterModel | None:
        """Fit the recipe to other images, and find the artefacts among the clusters.

        Clusters that are an artefact of a generator or GAN that is not in the pool are not expected
        again. See ``prototypes.cluster_model``.
        """
        pool, gans = side.pool, side.gans
        if not (self.params.together and pool):
            return self.refit(side.embeddings, run, attempt)
        names = generators_in(pool)
        present = {*names, *(network_name(gans[name], gans) for name in names)}
        present |= {f"all repetitions of {base_name(name)}" for name in names}
        absent = sum(owner not in present for owner in self.artefacts.values())
        model = self
        if absent:
            number = max(len(self.clusters.order) - absent, 1)
            model = replace(self, recipe=self.recipe.of_number(number))
        fitted = model.refit(joined(pool, "embeddings"), run, attempt)
        if fitted is None:
            return None
        share = self.params.reproducibility.artefact
        artefacts = find_artefacts(fitted.clusters.labels, groups_of(pool, gans), share)
        return replace(fitted, artefacts=artefacts)

    def choose_number(self, side: Side, run: RunParams) -> Number:
        """The number of clusters or exemplars of other images; see ``choose_number``."""
        # It fits recipes.
        from borderline.pipelines.clustering.number import choose_number

        return choose_number(self.recipe, side, self.params, run, tested=False)

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels (M,), their probabilities (M,) and coordinates (M, d) of new embeddings (M, D)."""
        points = self.recipe.reduction.place(embeddings, self.embeddings, self.points)
        labels, probabilities = self.clusters.assign(points)
        return self._without_artefacts(labels), probabilities, points

    def is_artefact(self, embeddings: np.ndarray) -> np.ndarray:
        """Which images (M, D) belong to an artefact, bool (M,)."""
        if not self.artefacts:
            return np.zeros(len(embeddings), dtype=bool)
        points = self.recipe.reduction.place(embeddings, self.embeddings, self.points)
        return np.isin(self.clusters.assign(points)[0], list(self.artefacts))

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

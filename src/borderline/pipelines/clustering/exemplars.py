"""Exemplars of a continuum: images that stand for all others where there are no clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.preprocessing import normalize

from borderline.measures.facility_location import facility_location, joint
from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import NOISE
from borderline.pipelines.clustering.number import Number, choose_number
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.pool import audience_of
from borderline.pipelines.clustering.recipe import ClusterModel, Recipe
from borderline.pipelines.clustering.typicality import typicality
from borderline.records import Side


@dataclass(frozen=True)
class ExemplarModel:
    """Exemplars that new images join by cosine similarity in the model's embedding.

    Attributes:
        recipe: The best recipe for clusters, which were not found again.
        params: The settings of the search.
        exemplars: The rows of the exemplars among the borderline images, (K,).
        embeddings: The embeddings of all borderline images, (n, D).
        clusters: Clusters of which all but one are artefacts: images of these have no exemplar.
            None without artefacts.
        tested: Whether only the test for clusters calls the images a continuum.
    """

    recipe: Recipe
    params: ClusteringParams
    exemplars: np.ndarray
    embeddings: np.ndarray
    clusters: ClusterModel | None = None
    tested: bool = False

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        params: ClusteringParams,
        embeddings: np.ndarray,
        vectors: np.ndarray,
        audience: np.ndarray,
        clusters: ClusterModel | None = None,
    ) -> ExemplarModel:
        """Choose exemplars that represent an audience.

        Args:
            recipe: See the class.
            params: See the class.
            embeddings: Of the borderline images, (n, D).
            vectors: Their joint vectors, (n, J).
            audience: The joint vectors of the audience, (P, J).
            clusters: See the class.
        """
        model = cls(recipe, params, np.zeros(0, dtype=np.int64), embeddings, clusters)
        candidates = np.flatnonzero(~model.is_artefact(embeddings))
        similarities = vectors[candidates] @ audience.T
        rows, _ = facility_location(
            similarities, params.most_exemplars, params.exemplars.least_gain
        )
        return replace(model, exemplars=candidates[rows])

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The nearest exemplar (M,) of embeddings (M, D), -1 for an artefact; its similarity (M,)
        in [0, 1], and the similarities to all (M, K)."""
        if len(embeddings) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros((0, len(self.exemplars)))
        vectors = normalize(self.embeddings[self.exemplars].astype(np.float64))
        similarities = normalize(embeddings.astype(np.float64)) @ vectors.T
        nearest = np.where(self.is_artefact(embeddings), NOISE, similarities.argmax(1))
        return nearest, similarities.max(1).clip(0, 1), similarities

    @property
    def threads(self) -> int:
        """See ``prototypes.cluster_model``."""
        return self.recipe.reduction.threads

    @property
    def labels(self) -> np.ndarray:
        """The nearest exemplar of each borderline image, (n,); -1 for an artefact."""
        return self.assign(self.embeddings)[0]

    @property
    def points(self) -> np.ndarray:
        """The similarities of the borderline images to the exemplars, (n, K)."""
        return self.assign(self.embeddings)[2]

    def is_artefact(self, embeddings: np.ndarray) -> np.ndarray:
        """Which images (M, D) belong to an artefact, bool (M,)."""
        if self.clusters is None:
            return np.zeros(len(embeddings), dtype=bool)
        return self.clusters.is_artefact(embeddings)

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """How similar new images (M, D) are to the borderline ones, as of a ``ClusterModel``."""
        return typicality(self.embeddings, embeddings)

    def again(self, side: Side, run: RunParams, attempt: int) -> ExemplarModel | None:
        """Choose as many exemplars among other images; see ``prototypes.cluster_model``."""
        vectors = joint(side.embeddings, side.features)
        candidates = np.flatnonzero(~self.is_artefact(side.embeddings))
        if len(candidates) == 0:
            return None
        audience = audience_of(vectors, side.pool, self.params)
        rows, _ = facility_location(vectors[candidates] @ audience.T, len(self.exemplars))
        return replace(self, exemplars=candidates[rows], embeddings=side.embeddings)

    def choose_number(self, side: Side, run: RunParams) -> Number:
        """The number of clusters or exemplars of other images; see ``choose_number``."""
        return choose_number(self.recipe, side, self.params, run, tested=self.tested)

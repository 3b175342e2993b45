"""Exemplars of a continuum: images that stand for all others where there are no clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import normalize

from borderline.measures.facility_location import facility_location
from borderline.params import RunParams
from borderline.pipelines.clustering.params import ExemplarsParams
from borderline.pipelines.clustering.recipe import typicality


def joint(embeddings: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Vectors (N, D + F) whose product is the mean of two cosine similarities: in the model's
    embedding (N, D) and in the judge's features (N, F).

    The model alone does not see what its embedding ignores; the judge alone does not see what
    confuses the model.
    """
    both = normalize(embeddings.astype(np.float64)), normalize(features.astype(np.float64))
    return np.asarray(np.hstack(both) / np.sqrt(2))


class Labels(NamedTuple):
    """The nearest exemplar of each image, (n,)."""

    labels: np.ndarray


class Choice(NamedTuple):
    """Exemplars of other images: the nearest one of each image, and the similarities (n, K)."""

    clusters: Labels
    points: np.ndarray


@dataclass(frozen=True)
class ExemplarModel:
    """Exemplars that new images join by cosine similarity in the model's embedding.

    Attributes:
        rows: The exemplars among the borderline images, (K,).
        embeddings: The embeddings of all borderline images, (n, D).
    """

    rows: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def of(
        cls,
        embeddings: np.ndarray,
        vectors: np.ndarray,
        audience: np.ndarray,
        settings: ExemplarsParams,
    ) -> ExemplarModel:
        """Choose exemplars among images with embeddings (n, D) and vectors (n, J) of length 1 that
        represent an audience (P, J)."""
        rows, _ = facility_location(vectors @ audience.T, settings.most, settings.least_gain)
        return cls(rows, embeddings)

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The nearest exemplar (M,) of embeddings (M, D), its similarity (M,) in [0, 1], and the
        similarities to all (M, K)."""
        if len(embeddings) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros((0, len(self.rows)))
        exemplars = normalize(self.embeddings[self.rows].astype(np.float64))
        similarities = normalize(embeddings.astype(np.float64)) @ exemplars.T
        return similarities.argmax(1), similarities.max(1).clip(0, 1), similarities

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """How similar new images (M, D) are to the borderline ones, as of a ``ClusterModel``."""
        return typicality(self.embeddings, embeddings)

    def again(self, embeddings: np.ndarray, run: RunParams, attempt: int) -> Choice:
        """Choose as many exemplars among other images (M, D), which represent these images."""
        vectors = normalize(embeddings.astype(np.float64))
        similarities = vectors @ vectors.T
        rows, _ = facility_location(similarities, len(self.rows))
        points = similarities[:, rows]
        return Choice(Labels(points.argmax(1)), points)

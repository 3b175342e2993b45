"""The borderline images that prototypes are chosen from, as the selections see them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from borderline.boundary import Boundary
from borderline.measures.confusion import confusion_distance
from borderline.records import Repeat

NOISE = -1
_TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Candidates:
    """Borderline images without their pixels: a ``Repeat`` as arrays, float64.

    Attributes:
        embeddings: Shape (n, D).
        reduced: Shape (n, d).
        labels: Clusters, shape (n,), from 0; -1 for noise.
        distances: Confusion distances, shape (n,); NaN where they are not needed.
        exemplars: Rows of the exemplars of a continuum, (K,), where they are known.
    """

    embeddings: np.ndarray
    reduced: np.ndarray
    labels: np.ndarray
    distances: np.ndarray
    exemplars: np.ndarray | None = None

    @classmethod
    def of(cls, repeat: Repeat, boundary: Boundary | None = None) -> Self:
        """The images of a repeat; without a boundary, their confusion distances are NaN."""
        p = repeat["probabilities"].double()
        distances = p * torch.nan if boundary is None else confusion_distance(p, boundary)
        return cls(
            repeat["embeddings"].double().numpy(),
            repeat["reduced"].double().numpy(),
            repeat["labels"].numpy(),
            distances.numpy(),
            repeat["exemplars"].numpy() if "exemplars" in repeat else None,
        )

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def rows(self, rows: np.ndarray) -> Self:
        """The candidates in some rows, shape (m,); keeps their cached distances."""
        parts = (self.embeddings, self.reduced, self.labels, self.distances)
        some = type(self)(*(part[rows] for part in parts))
        for name in {"cosine_distances", "reduced_distances"} & vars(self).keys():
            vars(some)[name] = vars(self)[name][np.ix_(rows, rows)]
        return some

    @cached_property
    def clusters(self) -> np.ndarray:
        """The clusters that have a member, in order."""
        return np.unique(self.labels[self.labels != NOISE])

    @cached_property
    def directions(self) -> np.ndarray:
        """The embeddings at length 1, shape (n, D)."""
        return directions(self.embeddings)

    @cached_property
    def reduced_distances(self) -> np.ndarray:
        """Euclidean distances in the space that was clustered, shape (n, n)."""
        return np.asarray(cdist(self.reduced, self.reduced))

    @cached_property
    def cosine_distances(self) -> np.ndarray:
        """Cosine distances of the embeddings, in [0, 2], shape (n, n)."""
        return cosine_distances(self.directions, self.directions)


def directions(embeddings: np.ndarray) -> np.ndarray:
    """Embeddings (..., n, D) at length 1, float64; an embedding of length 0 stays."""
    vectors = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _TINY))


def cosine_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine distances of directions (..., n, D) to directions (m, D), in [0, 2], (..., n, m)."""
    distances = first @ second.T
    np.subtract(1, distances, out=distances)
    return np.asarray(distances.clip(0, 2, out=distances))


def places_among(rows: Tensor, candidates: Tensor) -> Tensor:
    """The position of each row in a list that contains all of them."""
    order = candidates.argsort()
    return order[torch.searchsorted(candidates[order], rows)]

"""The borderline images that prototypes are chosen from, as the choices see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

NOISE = -1
_TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Candidates:
    """Borderline images without their pixels.

    Attributes:
        embeddings: Of the model under test, shape (n, D), float64.
        reduced: Their places in the space that was clustered, shape (n, d), float64.
        labels: Their clusters, shape (n,), from 0; -1 for none.
        distances: Their confusion distances, shape (n,), in [0, 0.5].
    """

    embeddings: np.ndarray
    reduced: np.ndarray
    labels: np.ndarray
    distances: np.ndarray

    def __len__(self) -> int:
        """How many there are."""
        return len(self.labels)

    def rows(self, rows: np.ndarray) -> Self:
        """Some of them, shape (m,)."""
        parts = (self.embeddings, self.reduced, self.labels, self.distances)
        return type(self)(*(part[rows] for part in parts))

    def relabelled(self, labels: np.ndarray) -> Self:
        """The same images with other labels, shape (n,); what was computed of them stays."""
        other = replace(self, labels=labels)
        for name in ("directions", "cosine_distances", "reduced_distances"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

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
        """Of each place to each in the space that was clustered, shape (n, n)."""
        return np.asarray(cdist(self.reduced, self.reduced))

    @cached_property
    def cosine_distances(self) -> np.ndarray:
        """Of each embedding to each, in [0, 2], shape (n, n)."""
        return cosine_distances(self.directions, self.directions)


def directions(embeddings: np.ndarray) -> np.ndarray:
    """Embeddings at length 1; one of length 0 has no direction and stays.

    Args:
        embeddings: Shape (n, D).

    Returns:
        Shape (n, D), float64.
    """
    vectors = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _TINY))


def cosine_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of each direction to each of the others, in [0, 2].

    Args:
        first: Directions, shape (n, D).
        second: Directions, shape (m, D).

    Returns:
        Shape (n, m).
    """
    return np.asarray((1 - first @ second.T).clip(0, 2))


def places_among(rows: Tensor, every: Tensor) -> Tensor:
    """The places of rows in a list that holds each of them."""
    order = every.argsort()
    return order[torch.searchsorted(every[order], rows)]

"""The cluster model of the stage before, as this stage uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from borderline.params import RunParams


OUTLIER = 0.05
"""Below this p-value of typicality, an image is near no cluster."""


class Clustering(Protocol):
    """Clusters of images."""

    @property
    def labels(self) -> np.ndarray:
        """The cluster of each image, shape (n,), -1 for noise."""


class Fitted(Protocol):
    """The clusters that a recipe gives for other images."""

    @property
    def clusters(self) -> Clustering:
        """The clusters."""

    @property
    def points(self) -> np.ndarray:
        """Coordinates in the space that was clustered, shape (n, d)."""


class ClusterModel(Protocol):
    """Fitted clusters, which new images can join, and their recipe."""

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels (M,), their probabilities (M,) and coordinates (M, d) of embeddings (M, D)."""

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """The p-value that embeddings (M, D) are like the clustered images, shape (M,)."""

    def again(self, embeddings: np.ndarray, run: RunParams, attempt: int) -> Fitted | None:
        """The clusters of the same recipe in other embeddings (M, D); None for none."""

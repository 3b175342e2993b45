"""The clusters that images lie near."""

from __future__ import annotations

from typing import Protocol

import numpy as np

OUTLIER = 0.05
"""Below this p-value of typicality, an image is near no cluster."""


class Assigning(Protocol):
    """Fitted clusters, which new images can join."""

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels (M,), their probabilities (M,) and coordinates (M, d) of embeddings (M, D)."""

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """The p-value that embeddings (M, D) are like the clustered images, shape (M,)."""


def near_clusters(model: Assigning, embeddings: np.ndarray) -> np.ndarray:
    """The cluster that each image, with embeddings (M, D), lies near, int64 (M,); -1 for none.

    An image is near a cluster if it joins it and is typical of the clustered images.
    """
    joined, _, _ = model.assign(embeddings)
    # NaN, without clusters, is near none.
    return np.where(model.typicality(embeddings) >= OUTLIER, joined, -1)

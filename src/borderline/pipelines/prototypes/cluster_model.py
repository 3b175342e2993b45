"""The cluster model of the stage before, as this stage uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from borderline.params import RunParams
    from borderline.records import Side


class Number(Protocol):
    """The number of clusters, or of exemplars where the mode is ``continuum``."""

    @property
    def mode(self) -> str:
        """``clusters`` or ``continuum``."""

    @property
    def number(self) -> int:
        """The number."""


class ClusterModel(Protocol):
    """Fitted clusters or exemplars, which new images can join."""

    @property
    def embeddings(self) -> np.ndarray:
        """The embeddings of the fitted images, (N, D)."""

    @property
    def labels(self) -> np.ndarray:
        """The cluster of each fitted image, or its nearest exemplar, (N,); -1 for noise."""

    @property
    def points(self) -> np.ndarray:
        """Coordinates of the fitted images in the space that was clustered, (N, d)."""

    @property
    def exemplars(self) -> np.ndarray | None:
        """Rows of the exemplars of a continuum, (K,); None for clusters."""

    @property
    def threads(self) -> int:
        """The number of threads that may fit it to other images side by side."""

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels (M,), their probabilities (M,) and coordinates (M, d) of embeddings (M, D)."""

    def is_artefact(self, embeddings: np.ndarray) -> np.ndarray:
        """Which images (M, D) belong to an artefact, bool (M,)."""

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """The p-value that embeddings (M, D) are like the clustered images, shape (M,)."""

    def again(self, side: Side, run: RunParams, attempt: int) -> ClusterModel | None:
        """The same recipe fitted to other images, or as many exemplars of them; None for none.

        Another attempt has other seeds.
        """

    def choose_number(self, side: Side, run: RunParams) -> Number:
        """The number of clusters or exemplars that other images would have been given."""

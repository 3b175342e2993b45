"""Kinds of reduction of embeddings to fewer dimensions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsRegressor

from borderline.pipelines.clustering.neighbours import Neighbours
from borderline.pipelines.clustering.params import ReductionKind

# scikit-learn's t-SNE exaggerates clusters during its first 250 iterations.
_FEWEST_TSNE_ITERATIONS = 300
_TSNE_ITERATIONS_AN_EPOCH = 5
_PLACED_BY = 10


@dataclass(frozen=True)
class Reduction:
    """A kind of reduction with its settings.

    Attributes:
        kind: ``umap`` and ``tsne`` on cosine distances, ``pca``, or ``none``.
        settings: Arguments of the library; dimensions and neighbours are cut to the number of
            images.
    """

    kind: ReductionKind
    settings: Mapping[str, float]

    def reduce(
        self, embeddings: np.ndarray, neighbours: Neighbours | None, seed: int, epochs: int
    ) -> np.ndarray:
        """Reduce embeddings (N, D) to (N, d), float64.

        UMAP takes at least ``n_neighbors`` neighbours of each row; the other kinds take none.
        ``epochs`` are those of UMAP, and a fifth of the iterations of t-SNE.
        """
        if self.kind == "umap":
            assert neighbours is not None, "UMAP takes the shared graph"
            reduced = self._umap(embeddings, neighbours, seed, epochs)
        elif self.kind == "tsne":
            reduced = self._tsne(embeddings, seed, epochs)
        elif self.kind == "pca":
            reduced = self._pca(embeddings).transform(embeddings)
        else:
            reduced = embeddings
        return np.asarray(reduced, dtype=np.float64)

    def place(
        self, embeddings: np.ndarray, fitted: np.ndarray, fitted_reduced: np.ndarray
    ) -> np.ndarray:
        """Coordinates (M, d) of new embeddings (M, D), from those (N, d) of fitted ones (N, D).

        UMAP with given neighbours and t-SNE have no formula for new points, so each lies at the
        mean of its nearest fitted points, weighted by the inverse distance.
        """
        if self.kind == "none" or len(embeddings) == 0:
            width = fitted_reduced.shape[1]
            return np.asarray(embeddings, dtype=np.float64).reshape(len(embeddings), width)
        if self.kind == "pca":
            return np.asarray(self._pca(fitted).transform(embeddings), dtype=np.float64)
        near = KNeighborsRegressor(
            min(_PLACED_BY, len(fitted)), weights="distance", metric="cosine", algorithm="brute"
        )
        return np.asarray(near.fit(fitted, fitted_reduced).predict(embeddings), dtype=np.float64)

    def _umap(
        self, embeddings: np.ndarray, neighbours: Neighbours, seed: int, epochs: int
    ) -> np.ndarray:
        import umap  # compiles for seconds

        # UMAP's spectral start needs fewer dimensions than images.
        most = len(embeddings) // 2
        n_neighbors = min(int(self.settings["n_neighbors"]), most)
        reducer = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=self.settings["min_dist"],
            n_components=min(int(self.settings["n_components"]), most),
            metric="cosine",
            n_epochs=epochs,
            random_state=seed,
            n_jobs=1,
            precomputed_knn=tuple(part[:, :n_neighbors] for part in neighbours),
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*precomputed_knn.*")
            warnings.filterwarnings("ignore", message=".*connected components.*")
            warnings.filterwarnings("ignore", message=".*[Ss]pectral.*")
            return np.asarray(reducer.fit_transform(embeddings))

    def _tsne(self, embeddings: np.ndarray, seed: int, epochs: int) -> np.ndarray:
        reducer = TSNE(
            n_components=2,
            perplexity=min(self.settings["perplexity"], (len(embeddings) - 1) / 3),
            metric="cosine",
            random_state=seed,
            max_iter=max(_TSNE_ITERATIONS_AN_EPOCH * epochs, _FEWEST_TSNE_ITERATIONS),
        )
        return np.asarray(reducer.fit_transform(embeddings))

    def _pca(self, embeddings: np.ndarray) -> PCA:
        components = min(int(self.settings["n_components"]), *embeddings.shape)
        return PCA(components, svd_solver="full").fit(embeddings.astype(np.float64))

"""Reductions of embeddings to fewer dimensions, and the graph that all UMAPs share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from joblib import parallel_config
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsRegressor, NearestNeighbors
from sklearn.preprocessing import normalize

from borderline.compiled import import_umap, umaps_run_side_by_side
from borderline.measures.directions import tells_apart
from borderline.pipelines.clustering.params import ClusteringParams, ReductionKind
from borderline.threads import threads_of_node

# scikit-learn's t-SNE exaggerates clusters during its first 250 iterations.
_FEWEST_TSNE_ITERATIONS = 300
_TSNE_ITERATIONS_AN_EPOCH = 5
_TSNE_THREADS = 2
_PLACED_BY = 10
# Above so many rows, the nearest unit vectors are found several times faster than cosines.
_MOST_BY_COSINE = 20_000


Neighbours = tuple[np.ndarray, np.ndarray]
"""The nearest rows of each row, the row itself first, and their cosine distances in [0, 2], rising
along each row, float32; both (N, k)."""


def neighbours_of(embeddings: np.ndarray, params: ClusteringParams) -> Neighbours | None:
    """The graph for all UMAPs of the search space; None where the search has no UMAP."""
    if "umap" not in params.searched_reductions:
        return None
    return nearest_neighbours(embeddings, params.umap.n_neighbors[1])


def nearest_neighbours(
    embeddings: np.ndarray, k: int, *, most_by_cosine: int = _MOST_BY_COSINE
) -> Neighbours:
    """The k nearest rows of each of the embeddings (N, D), counting the row itself; at most N."""
    k = min(k, len(embeddings))
    by_cosine = len(embeddings) <= most_by_cosine
    metric = "cosine" if by_cosine else "euclidean"
    exact = NearestNeighbors(n_neighbors=k - 1, metric=metric, algorithm="brute")
    distances, rows = exact.fit(embeddings if by_cosine else normalize(embeddings)).kneighbors()
    if not by_cosine:
        distances = distances**2 / 2
    itself = np.arange(len(embeddings))[:, None]
    distances = np.hstack([np.zeros_like(itself), distances.clip(0)]).astype(np.float32)
    return np.hstack([itself, rows]), distances


@dataclass(frozen=True)
class Reduction:
    """A kind of reduction with its settings.

    ``umap`` and ``tsne`` use cosine distances, and so does ``pca``: it takes unit vectors. The
    settings are arguments of the library; large
    numbers of dimensions and neighbours are cut to the images.
    """

    kind: ReductionKind
    settings: Mapping[str, float]

    @property
    def threads(self) -> int:
        """The number of threads that may fit it side by side."""
        return threads_of_node() if self.kind != "umap" or umaps_run_side_by_side() else 1

    def reduce(
        self, embeddings: np.ndarray, neighbours: Neighbours | None, seed: int, epochs: int
    ) -> np.ndarray:
        """Reduce embeddings (N, D) to (N, d), float64.

        UMAP takes at least ``n_neighbors`` neighbours of each row; the other kinds take none.
        ``epochs`` are those of UMAP, and a fifth of the iterations of t-SNE. Images that the model
        does not tell apart lie at one place, the origin, except with ``none``.
        """
        if self.kind != "none" and not tells_apart(embeddings):
            # t-SNE would end the process, and UMAP would invent a structure.
            return np.zeros((len(embeddings), self._dimensions(embeddings)))
        if self.kind == "umap":
            assert neighbours is not None, "UMAP takes the shared graph"
            reduced = self._umap(embeddings, neighbours, seed, epochs)
        elif self.kind == "tsne":
            reduced = self._tsne(embeddings, seed, epochs)
        elif self.kind == "pca":
            reduced = self._pca(embeddings).transform(_unit(embeddings))
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
            placed = embeddings.reshape(len(embeddings), fitted_reduced.shape[1])
        elif self.kind == "pca":
            placed = self._pca(fitted).transform(_unit(embeddings))
        else:
            near = KNeighborsRegressor(
                min(_PLACED_BY, len(fitted)), weights="distance", metric="cosine", algorithm="brute"
            )
            placed = near.fit(fitted, fitted_reduced).predict(embeddings)
        return np.asarray(placed, dtype=np.float64)

    def _dimensions(self, embeddings: np.ndarray) -> int:
        if self.kind == "tsne":
            # The initial positions are principal components: at most one for each image or feature.
            return int(min(self.settings.get("n_components", 2), *embeddings.shape))
        if "variance" in self.settings:
            return 1
        components = int(self.settings["n_components"])
        # UMAP's spectral start needs fewer dimensions than images.
        most = len(embeddings) // 2 if self.kind == "umap" else min(embeddings.shape)
        return min(components, most)

    def _tsne(self, embeddings: np.ndarray, seed: int, epochs: int) -> np.ndarray:
        tsne = TSNE(
            n_components=self._dimensions(embeddings),
            perplexity=min(self.settings["perplexity"], (len(embeddings) - 1) / 3),
            metric="cosine",
            random_state=seed,
            max_iter=max(_TSNE_ITERATIONS_AN_EPOCH * epochs, _FEWEST_TSNE_ITERATIONS),
            # The same number on each machine, because its sums have one part for each thread.
            n_jobs=_TSNE_THREADS,
        )
        # A Dask worker would take one thread otherwise, and warn in each trial.
        with parallel_config(backend="threading"):
            return np.asarray(tsne.fit_transform(embeddings))

    def _umap(
        self, embeddings: np.ndarray, neighbours: Neighbours, seed: int, epochs: int
    ) -> np.ndarray:
        umap = import_umap()
        n_neighbors = min(int(self.settings["n_neighbors"]), len(embeddings) // 2)
        reducer = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=self.settings["min_dist"],
            n_components=self._dimensions(embeddings),
            metric="cosine",
            n_epochs=epochs,
            random_state=seed,
            n_jobs=1,
            precomputed_knn=tuple(array[:, :n_neighbors] for array in neighbours),
        )
        with warnings.catch_warnings():
            expected = "precomputed_knn|connected components|[Ss]pectral"
            warnings.filterwarnings("ignore", message=f".*({expected})")
            return np.asarray(reducer.fit_transform(embeddings))

    def _pca(self, embeddings: np.ndarray) -> PCA:
        # PCA takes a share of the variance for the number of components that explain it.
        components = self.settings.get("variance") or self._dimensions(embeddings)
        return PCA(components, svd_solver="full").fit(_unit(embeddings))


def _unit(embeddings: np.ndarray) -> np.ndarray:
    return np.asarray(normalize(embeddings.astype(np.float64)))

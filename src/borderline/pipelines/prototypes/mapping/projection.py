"""The 2D maps on which test set, clusters and prototypes are seen together."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.manifold import TSNE


def umap_2d(
    test_embeddings: np.ndarray, embeddings: np.ndarray, neighbors: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """UMAP to two dimensions, fitted on the test set's embeddings (Gomes et al. 2024).

    Args:
        test_embeddings: The model's embeddings of the real test images, shape (M, D).
        embeddings: Its embeddings of the borderline images, shape (n, D); may be none.
        neighbors: UMAP's neighbourhood, at most M - 1 is used.
        seed: Seed of UMAP; it repeats bit for bit.

    Returns:
        Coordinates of the test set, shape (M, 2), and of the borderline images, shape (n, 2).
    """
    import umap  # compiles for seconds, which only a map should wait for

    reducer = umap.UMAP(
        n_neighbors=min(neighbors, len(test_embeddings) - 1),
        metric="cosine",
        random_state=seed,
        transform_seed=seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*connected components.*")
        test_map = reducer.fit_transform(test_embeddings)
        if len(embeddings) == 0:
            return np.asarray(test_map), np.zeros((0, 2))
        return np.asarray(test_map), np.asarray(reducer.transform(embeddings))


def tsne_2d(
    test_embeddings: np.ndarray, embeddings: np.ndarray, perplexity: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """t-SNE to two dimensions of both together, for it places nothing afterwards.

    Args:
        test_embeddings: Shape (M, D).
        embeddings: Shape (n, D); may be none.
        perplexity: At most a third of the images is used.
        seed: Seed; it repeats bit for bit.

    Returns:
        Coordinates of the test set, shape (M, 2), and of the borderline images, shape (n, 2).
    """
    both = np.concatenate([test_embeddings, embeddings])
    reducer = TSNE(
        perplexity=min(perplexity, (len(both) - 1) / 3),
        metric="cosine",
        # Principal components are a start only where there are two.
        init="pca" if min(both.shape) > 1 else "random",
        random_state=seed,
    )
    places = np.asarray(reducer.fit_transform(both))
    return places[: len(test_embeddings)], places[len(test_embeddings) :]

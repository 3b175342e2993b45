"""The 2D maps of test images, clusters and prototypes."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.manifold import TSNE

from borderline.params import RunParams
from borderline.pipelines.prototypes.params import MapParams
from borderline.records import Places


def place(
    test: np.ndarray,
    embeddings: np.ndarray,
    prototypes: torch.Tensor,
    settings: MapParams,
    run: RunParams,
) -> Places:
    """Place test images and candidates on both maps; the shown prototypes are always drawn.

    Args:
        test: Embeddings of the real test images, shape (M, D).
        embeddings: Of the candidates, shape (n, D).
        prototypes: Rows of the shown prototypes among the candidates, shape (K,).
        settings: Of the maps.
        run: The seed.
    """
    test_umap, umap = umap_2d(test, embeddings, settings.neighbors, run.seed_for("map"))
    random, most = run.generator("shown on the map"), settings.images
    test_shown = torch.randperm(len(test), generator=random)[:most].sort().values
    others = torch.randperm(len(embeddings), generator=random)
    others = others[~torch.isin(others, prototypes)]
    shown = torch.cat([prototypes, others])[: max(most, len(prototypes))].sort().values
    test_tsne, tsne = tsne_2d(
        test[test_shown], embeddings[shown], settings.perplexity, run.seed_for("t-SNE map")
    )
    return {
        "test_umap": torch.from_numpy(test_umap).double(),
        "umap": torch.from_numpy(umap).double(),
        "test_shown": test_shown,
        "shown": shown,
        "test_tsne": torch.from_numpy(test_tsne).double(),
        "tsne": torch.from_numpy(tsne).double(),
    }


def umap_2d(
    test_embeddings: np.ndarray, embeddings: np.ndarray, neighbors: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """UMAP in two dimensions, fitted on the test images' embeddings (Gomes et al. 2024).

    Args:
        test_embeddings: Shape (M, D).
        embeddings: Of the borderline images, shape (n, D); may be none.
        neighbors: UMAP's neighbourhood; at most M - 1.
        seed: Gives the same bits again.

    Returns:
        Coordinates of the test images, shape (M, 2), and of the borderline images, shape (n, 2).
    """
    import umap  # compiles for seconds

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
    """t-SNE in two dimensions, fitted on both together because it cannot place others later.

    Args:
        test_embeddings: Shape (M, D).
        embeddings: Of the borderline images, shape (n, D); may be none.
        perplexity: At most a third of the number of images.
        seed: Gives the same bits again.

    Returns:
        Coordinates of the test images, shape (M, 2), and of the borderline images, shape (n, 2).
    """
    both = np.concatenate([test_embeddings, embeddings])
    reducer = TSNE(
        perplexity=min(perplexity, (len(both) - 1) / 3),
        metric="cosine",
        # Two principal components need two dimensions.
        init="pca" if min(both.shape) > 1 else "random",
        random_state=seed,
    )
    places = np.asarray(reducer.fit_transform(both))
    return places[: len(test_embeddings)], places[len(test_embeddings) :]

"""Coordinates on the 2D maps of test images and candidates."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.manifold import TSNE

from borderline.compiled import import_umap
from borderline.measures.directions import tells_apart
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
    """Place test images and candidates on both maps, from their embeddings (M, D) and (n, D).

    The shown prototypes, rows (K,) of the candidates, are always drawn.
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
    """Coordinates (M, 2) and (n, 2) by UMAP, fitted on the test images (Gomes et al. 2024).

    The same seed gives the same bits; n may be 0. Where the model does not tell the test images
    apart, all images lie at one place, the origin: UMAP would invent a structure.
    """
    if not tells_apart(test_embeddings):
        return np.zeros((len(test_embeddings), 2)), np.zeros((len(embeddings), 2))
    umap = import_umap()
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
    """Coordinates (M, 2) and (n, 2) by t-SNE, which cannot place others later: fitted on both.

    The perplexity is cut to a third of the number of images. Images that the model does not tell
    apart lie at one place, the origin: t-SNE would end the process.
    """
    both = np.concatenate([test_embeddings, embeddings])
    if not tells_apart(both):
        return np.zeros((len(test_embeddings), 2)), np.zeros((len(embeddings), 2))
    reducer = TSNE(
        perplexity=min(perplexity, (len(both) - 1) / 3),
        metric="cosine",
        # Two principal components need two dimensions.
        init="pca" if min(both.shape) > 1 else "random",
        random_state=seed,
        # Half the time of scikit-learn's defaults (1000, 0.5). On 3,000 images of Fashion-MNIST the
        # trustworthiness stays .981, and the divergence rises from 1.47 to 1.50.
        max_iter=750,
        angle=0.8,
    )
    places = np.asarray(reducer.fit_transform(both))
    return places[: len(test_embeddings)], places[len(test_embeddings) :]

"""Tipping the model: walks from each prototype to both classes, and the nearest real images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from borderline.measures.inference import has_gradients
from borderline.pipelines.prototypes.choosing.candidates import cosine_distances, directions
from borderline.pipelines.prototypes.explaining.walks import Walks, blends, shortest_walks
from borderline.pipelines.prototypes.params import TippingParams
from borderline.records import LabelledImages, Prototypes, RealView, Tipping
from borderline.sampling import Sampler

_COLUMNS = ("prototype", "towards", "confident", "length", "share", "p", "real_rows")


def nearest_real(
    embeddings: np.ndarray, real: np.ndarray, labels: np.ndarray, count: int
) -> np.ndarray:
    """The nearest real images of each class by the cosine distance of embeddings.

    Args:
        embeddings: Of the prototypes, shape (K, D), K at least 1.
        real: Of the real images, shape (M, D).
        labels: Their labels 0 and 1, shape (M,).
        count: Images of each class; fewer where a class has fewer.

    Returns:
        Rows of the real images, the nearest first, shape (K, 2, count): of class 0, then of 1.
    """
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    count = min(count, *(len(rows) for rows in classes))
    nearest = [
        rows[
            NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute")
            .fit(real[rows])
            .kneighbors(embeddings, return_distance=False)
        ]
        for rows in classes
    ]
    return np.stack(nearest, axis=1)


def tip(
    prototypes: Prototypes,
    embeddings: np.ndarray,
    real: LabelledImages,
    view: RealView,
    classifier: nn.Module,
    sampler: Sampler,
    settings: TippingParams,
    threshold: float,
    device: torch.device,
) -> tuple[Tipping, pd.DataFrame]:
    """Walk from each prototype to a confident negative and to a confident positive.

    In latent space where the images have latents and the model has gradients; else blends with the
    nearest real image that the model is confident of. The embeddings (K, D) are those of the
    prototypes. The table has one row a prototype and class.
    """
    images, latents, labels = prototypes["images"], prototypes.get("latents"), real["labels"]
    if len(images) == 0:
        return {"walks": images[:, None]}, pd.DataFrame(columns=list(_COLUMNS))
    sides = []
    for side, confident in enumerate(settings.ends(threshold)):
        goal = confident, threshold, settings.steps, device
        if sampler.decoder is not None and latents is not None and has_gradients(classifier):
            sides.append(shortest_walks(sampler.decoder, classifier, latents, *goal))
        else:
            ends = real["images"][_confident_real(embeddings, labels, view, side, confident)]
            sides.append(blends(classifier, images, ends, *goal))
    vectors = view["train_embeddings"].numpy()
    rows = torch.from_numpy(nearest_real(embeddings, vectors, labels.numpy(), settings.neighbours))
    tipping: Tipping = {
        "walks": torch.cat([sides[0].images.flip(1), sides[1].images[:, 1:]], dim=1),
        "walks_p": torch.cat([sides[0].p.flip(1), sides[1].p[:, 1:]], dim=1),
        "real_rows": rows,
        "real_p": view["train_p"][rows],
    }
    return tipping, _tabulate(sides, rows, latents)


def _tabulate(sides: Sequence[Walks], rows: Tensor, latents: Tensor | None) -> pd.DataFrame:
    """One row a prototype and class; ``share`` is the length relative to two random latents."""
    # The usual distance of two random latents; images without latents have none.
    apart = (2 * latents.shape[1]) ** 0.5 if latents is not None else np.nan
    table = []
    for number, of_prototype in enumerate(rows):
        for side, (towards, walks) in enumerate(zip(("negative", "positive"), sides, strict=True)):
            length, p = float(walks.lengths[number]), float(walks.p[number, -1])
            real_rows = " ".join(map(str, of_prototype[side].tolist()))
            confident = not np.isnan(length)
            table.append((number, towards, confident, length, length / apart, p, real_rows))
    return pd.DataFrame(table, columns=list(_COLUMNS))


def _confident_real(
    embeddings: np.ndarray, labels: Tensor, view: RealView, side: int, confident: float
) -> Tensor:
    """The nearest real image of a class that the model is confident of; else the nearest of it."""
    p, of_class = view["train_p"], labels == side
    sure = of_class & (p >= confident if side else p <= confident)
    rows = (sure if sure.any() else of_class).nonzero()[:, 0]
    vectors = view["train_embeddings"][rows].numpy()
    nearest = cosine_distances(directions(embeddings), directions(vectors)).argmin(1)
    return rows[torch.from_numpy(nearest)]

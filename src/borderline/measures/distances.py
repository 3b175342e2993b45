"""The distances of images to the real training images, which verdicts rest on."""

from __future__ import annotations

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from borderline.records import Distances


def measure_distances(
    images: Tensor,
    features: Tensor,
    train_images: Tensor,
    train_features: Tensor,
    neighbours: int,
) -> Distances:
    """The Euclidean distances of images to the nearest and the k-th nearest training image.

    The k-th nearest neighbour tells images of an unknown kind from known ones without a model of
    their density (Sun et al. 2022). The memory of one block of rows is enough.

    Args:
        images: In [-1, 1], shape (n, C, H, W).
        features: The judge's features of them, shape (n, D).
        train_images: Shape (N, C, H, W), more than k.
        train_features: Shape (N, D).
        neighbours: k.
    """
    pixels = _nearest(images.flatten(1), train_images.flatten(1), neighbours)
    inside = _nearest(features, train_features, neighbours)
    return {
        "pixel_nearest": pixels[:, 0],
        "pixel_neighbour": pixels[:, -1],
        "feature_nearest": inside[:, 0],
        "feature_neighbour": inside[:, -1],
    }


def _nearest(points: Tensor, train: Tensor, neighbours: int) -> Tensor:
    if len(points) == 0:
        return torch.zeros(0, neighbours)
    k = min(neighbours, len(train))
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(train.numpy())
    distances, _ = search.kneighbors(points.numpy())
    return torch.from_numpy(distances).float()

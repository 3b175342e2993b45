"""MMD-critic (Kim, Khanna and Koyejo 2016): prototypes, and the criticisms that they miss.

The kernel is Gaussian in the directions of the embeddings; twice its variance is their median
squared distance. All functions take the cosine distances of all pairs, shape (n, n).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import squareform


def kernel_of(distances: np.ndarray) -> np.ndarray:
    """The Gaussian kernel in (0, 1], shape (n, n).

    The squared distance of two directions is twice their cosine distance.
    """
    others = squareform(distances, checks=False)
    width = float(np.median(others, overwrite_input=True)) if len(others) else 0.0
    kernel = distances / -(width if width > 0 else 1.0)
    return np.asarray(np.exp(kernel, out=kernel))


def choose_prototypes(distances: np.ndarray, count: int) -> np.ndarray:
    """Rows (K,) of the images with the smallest maximum mean discrepancy to all images.

    Greedy, as in the paper; in the order of the choice.
    """
    kernel = kernel_of(distances)
    means, diagonal = kernel.mean(1), np.diag(kernel)
    chosen: list[int] = []
    to_chosen = np.zeros(len(kernel))
    inside = 0.0
    for size in range(1, count + 1):
        linear = means[chosen].sum() + means
        quadratic = inside + 2 * to_chosen + diagonal
        gains = 2 * linear / size - quadratic / size**2
        gains[chosen] = -np.inf
        best = int(gains.argmax())
        inside += 2 * to_chosen[best] + diagonal[best]
        to_chosen = to_chosen + kernel[best]
        chosen.append(best)
    return np.array(chosen, dtype=np.int64)


def witness(distances: np.ndarray, prototypes: np.ndarray) -> np.ndarray:
    """The witness function: mean kernel with all images minus mean kernel with the prototypes.

    In [-1, 1], shape (n,): 0 where the prototypes represent well, above 0 where there are too few.
    """
    kernel = kernel_of(distances)
    return np.asarray(kernel.mean(1) - kernel[:, prototypes].mean(1))


def choose_criticisms(distances: np.ndarray, prototypes: np.ndarray, count: int) -> np.ndarray:
    """Rows of images that the prototypes represent badly, unlike each other.

    Greedy on the sum of the absolute witness and the log-determinant of the criticisms' kernel; in
    the order of the choice, without the prototypes; fewer where there are fewer images.
    """
    kernel, gaps = kernel_of(distances), np.abs(witness(distances, prototypes))
    chosen: list[int] = []
    barred = np.zeros(len(kernel), dtype=bool)
    barred[prototypes] = True
    # The determinant grows by the variance that the chosen ones leave: one Cholesky row a step.
    left = np.diag(kernel).copy()
    rows = np.zeros((0, len(kernel)))
    for _ in range(min(count, int((~barred).sum()))):
        gains = np.where(barred, -np.inf, gaps + np.log(np.maximum(left, 1e-12)))
        best = int(gains.argmax())
        row = (kernel[best] - rows[:, best] @ rows) / np.sqrt(max(left[best], 1e-12))
        rows, left = np.vstack([rows, row]), np.maximum(left - row**2, 0.0)
        barred[best] = True
        chosen.append(best)
    return np.array(chosen, dtype=np.int64)

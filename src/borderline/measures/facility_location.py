"""Exemplars of a set of images."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import normalize

_ROUNDING = 1e-12
_BLOCK = 64


def facility_location(
    similarities: np.ndarray, most: int, least_gain: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The greedy maximum of facility location (Nemhauser et al. 1978).

    ``f(S)`` is the mean over all images of the similarity to the most similar exemplar in S. The
    choice is nested: the first k exemplars are the greedy choice of k. It ends before an exemplar
    that would close less than ``least_gain`` of the gap which the first one leaves to 1, or nothing
    of it, unless ``least_gain`` is 0.

    Args:
        similarities: Of candidates to the images that they should represent, at most 1, (n, P).
        most: The largest number of exemplars.
        least_gain: A share in [0, 1].

    Returns:
        The rows of the exemplars (K,), and f of the first 1 to K of them, (K,).
    """
    best = np.full(similarities.shape[1], -np.inf)
    rows: list[int] = []
    values: list[float] = []
    while len(rows) < min(most, len(similarities)):
        # Blocks of rows stay in the cache of the processor.
        blocks = range(0, len(similarities), _BLOCK)
        gains = np.concatenate(
            [np.maximum(similarities[i : i + _BLOCK], best).mean(1) for i in blocks]
        )
        gains[rows] = -np.inf
        row = int(gains.argmax())
        value = float(gains[row])
        # Rounding is no gain: equal images leave a gap of 0 or of nearly 0.
        if values and least_gain and value - values[-1] < least_gain * (1 - values[0]) + _ROUNDING:
            break
        rows.append(row)
        values.append(value)
        best = np.maximum(best, similarities[row])
    return np.array(rows, dtype=np.int64), np.array(values)


def joint(embeddings: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Vectors (N, D + F) whose product is the mean of two cosine similarities: in the model's
    embedding (N, D) and in the judge's features (N, F).

    The model alone does not see what its embedding ignores; the judge alone does not see what
    confuses the model.
    """
    both = normalize(embeddings.astype(np.float64)), normalize(features.astype(np.float64))
    return np.asarray(np.hstack(both) / np.sqrt(2))

"""Embeddings as directions, which cosine distances compare."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import normalize

# Within these, squares and variances of float32 are neither 0 nor infinite. Lengths below ten times
# the precision count as 0 in scikit-learn.
_SMALLEST, _LARGEST = 1e-4, 1e12
# Cosines of directions that differ by less are rounding.
_ROUNDING = 1e-6


def in_range(embeddings: np.ndarray) -> np.ndarray:
    """Embeddings (N, D) at a scale at which float32 can hold their variance.

    Other embeddings than tiny and huge ones stay as they are, bit for bit. Cosine distances do not
    depend on the scale.
    """
    largest = float(np.abs(embeddings).max(initial=0))
    if largest == 0 or _SMALLEST <= largest <= _LARGEST:
        return embeddings
    return np.asarray(embeddings.astype(np.float64) / largest, dtype=embeddings.dtype)


def tells_apart(embeddings: np.ndarray) -> bool:
    """Whether embeddings (N, D) have more than one direction, within the precision of float32.

    An embedding of zeros counts as a direction of its own.
    """
    if len(embeddings) < 2:
        return False
    units = normalize(in_range(embeddings.astype(np.float64)))
    return bool(np.ptp(units, axis=0).max(initial=0) > _ROUNDING)

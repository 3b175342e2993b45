"""Embeddings as directions, which cosine distances compare."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import normalize
from torch import Tensor

# Within these, squares and variances of float32 are neither 0 nor infinite. Lengths below ten times
# the precision count as 0 in scikit-learn.
_SMALLEST, _LARGEST = 1e-4, 1e12
# Cosines of directions that differ by less are rounding.
_ROUNDING = 1e-6


def fault_of(embeddings: Tensor) -> str:
    """The reason why float32 cannot hold the variances of embeddings (N, D); empty for none.

    Embeddings of zeros have no fault: the images are not told apart.
    """
    finite = embeddings.isfinite().flatten(1).all(1)
    if not finite.all():
        return f"have NaN or infinite values for {int((~finite).sum())} of {len(finite)} images"
    largest = float(embeddings.abs().max()) if embeddings.numel() else 0.0
    if largest == 0 or _SMALLEST <= largest <= _LARGEST:
        return ""
    return (
        f"have values up to {largest:.3g}, but their distances can be computed only from "
        f"{_SMALLEST:g} to {_LARGEST:g}"
    )


def tells_apart(embeddings: np.ndarray) -> bool:
    """Whether embeddings (N, D) have more than one direction, within the precision of float32.

    An embedding of zeros counts as a direction of its own.
    """
    if len(embeddings) < 2:
        return False
    units = normalize(embeddings.astype(np.float64))
    return bool(np.ptp(units, axis=0).max(initial=0) > _ROUNDING)

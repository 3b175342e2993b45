"""Embeddings as directions, which cosine distances compare."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import normalize
from torch import Tensor

# Within these lengths, squares and variances of float32 are neither 0 nor infinite. scikit-learn
# takes lengths below ten times the precision, 1.2e-6, for 0.
_SMALLEST, _LARGEST = 1e-5, 1e15
# Cosines of directions that differ by less are rounding.
_ROUNDING = 1e-6


def fault_of(embeddings: Tensor) -> str:
    """The reason why float32 cannot hold the variances of embeddings (N, D); empty for none.

    Embeddings of zeros have no fault: the images are not told apart.
    """
    finite = embeddings.isfinite().flatten(1).all(1)
    if not finite.all():
        return f"have NaN or infinite values for {int((~finite).sum())} of {len(finite)} images"
    largest = float(embeddings.double().norm(dim=1).max()) if embeddings.numel() else 0.0
    if largest == 0 or _SMALLEST <= largest <= _LARGEST:
        return ""
    return (
        f"have lengths up to {largest:.3g}, but lengths between {_SMALLEST:g} and {_LARGEST:g} are "
        "needed to compute distances"
    )


def tells_apart(embeddings: np.ndarray) -> bool:
    """Whether embeddings (N, D) have more than one direction, within the precision of float32.

    An embedding of zeros counts as a direction of its own.
    """
    if len(embeddings) < 2:
        return False
    units = normalize(embeddings.astype(np.float64))
    return bool(np.ptp(units, axis=0).max(initial=0) > _ROUNDING)

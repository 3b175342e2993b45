"""Do the maps depend on what the model has learned? The check of Adebayo et al. 2018.

The model's weights are drawn anew, those of its last layer or of all. A map that stays the same
shows the image, not the model.
"""

from __future__ import annotations

import copy

import numpy as np
from scipy.stats import spearmanr
from torch import Tensor, nn

from borderline.params import RunParams


def randomised(
    classifier: nn.Module, layers: int | None, run: RunParams, attempt: int
) -> nn.Module | None:
    """The model with its last layers drawn anew.

    Args:
        classifier: The model under test; it stays as it is.
        layers: How many, from the last one down; None for all.
        run: The seed.
        attempt: Another number has other weights.

    Returns:
        Another model; None where no layer knows how to be drawn anew.
    """
    model = copy.deepcopy(classifier)
    drawable = [module for module in model.modules() if hasattr(module, "reset_parameters")]
    if not drawable:
        return None
    with run.global_seed("randomised model", attempt):
        for layer in drawable[::-1][:layers]:
            layer.reset_parameters()  # type: ignore[operator]
    return model


def rank_correlations(first: Tensor, second: Tensor) -> np.ndarray:
    """The absolute value of Spearman's correlation of two maps of the same image.

    A map that turns round is the same map.

    Args:
        first: Shape (N, H, W).
        second: Shape (N, H, W).

    Returns:
        Shape (N,), in [0, 1]; 0 where a map is the same everywhere, for it tells nothing.
    """
    found = [
        abs(spearmanr(a, b).statistic) if a.std() > 0 and b.std() > 0 else 0.0
        for a, b in zip(first.flatten(1).numpy(), second.flatten(1).numpy(), strict=True)
    ]
    return np.array(found)

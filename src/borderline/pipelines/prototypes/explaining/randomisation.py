"""The randomisation check of attributions (Adebayo et al. 2018).

The weights of the model's last layer, or of all layers, are drawn anew. An attribution that stays
the same shows the image, not the model.
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
        classifier: The model under test; it is not changed.
        layers: The number of layers, from the last one down; None for all.
        run: The seed.
        attempt: Another number gives other weights.

    Returns:
        Another model; None where no layer has ``reset_parameters``.
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
    """The absolute value of Spearman's correlation of two attributions of the same image.

    An attribution with all signs reversed counts as the same.

    Args:
        first: Shape (N, H, W).
        second: Shape (N, H, W).

    Returns:
        Shape (N,), in [0, 1]; 0 where an attribution is the same everywhere.
    """
    correlations = [
        abs(spearmanr(a, b).statistic) if a.std() > 0 and b.std() > 0 else 0.0
        for a, b in zip(first.flatten(1).numpy(), second.flatten(1).numpy(), strict=True)
    ]
    return np.array(correlations)

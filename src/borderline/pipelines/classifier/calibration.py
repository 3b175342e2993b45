"""Temperature scaling: calibrates the probabilities of a model under test."""

from __future__ import annotations

import math

from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from borderline.measures.confusion import at_temperature

HIGHEST_TEMPERATURE = 20.0
_AT_THE_BOUND = 0.99


def fit_temperature(p: Tensor, labels: Tensor) -> dict[str, float]:
    """The temperature T at which ``sigmoid(logit(p) / T)`` fits best (Guo et al. 2017).

    Args:
        p: Probabilities of the positive class on images outside the training, shape (N,).
        labels: Their true labels, 0 or 1, shape (N,).

    Returns:
        ``temperature`` in (1/20, 20), above 1 for an overconfident model, NaN where the optimum is
        at a bound, for example when the model separates all images; the binary cross-entropy
        ``loss`` and ``calibrated_loss``, in nats; ``validation_images`` N.
    """

    def loss(log_temperature: float) -> float:
        calibrated = at_temperature(p, math.exp(log_temperature))
        return F.binary_cross_entropy(calibrated, labels.double()).item()

    widest = math.log(HIGHEST_TEMPERATURE)
    optimum = minimize_scalar(loss, bounds=(-widest, widest), method="bounded")
    fits = abs(optimum.x) < _AT_THE_BOUND * widest
    return {
        "temperature": math.exp(optimum.x) if fits else math.nan,
        "loss": loss(0.0),
        "calibrated_loss": float(optimum.fun) if fits else math.nan,
        "validation_images": len(labels),
    }

"""What step 2 adds to the generator's loss, each term to be held against its formula.

Each takes the logits of the model under test for generated images, shape (N,), and returns a
scalar; ``p`` is their sigmoid, the probability of the positive class. All are least at p = 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from borderline.measures.confusion import confusion_distance

_VARIANCE = 0.01


def gasten(logits: Tensor) -> Tensor:
    """``mean |p - 0.5|`` (Cunha et al. 2023, equation of step 2).

    Args:
        logits: Shape (N,).

    Returns:
        A scalar in [0, 0.5].
    """
    return confusion_distance(torch.sigmoid(logits)).mean()


def gaussian(logits: Tensor) -> Tensor:
    """``mean 0.5 [log s2 + (p - 0.5)^2 / s2]``, s2 = 0.01 (Teixeira et al. 2024).

    The negative log-likelihood of p under a normal distribution around 0.5, but for a constant.

    Args:
        logits: Shape (N,).

    Returns:
        A scalar in [-2.303, 10.197].
    """
    p = torch.sigmoid(logits)
    return 0.5 * (math.log(_VARIANCE) + (p - 0.5) ** 2 / _VARIANCE).mean()


def kl(logits: Tensor) -> Tensor:
    """``mean KL(Bern(0.5) || Bern(p))``, in nats: ``0.5 [ln(0.5/p) + ln(0.5/(1-p))]`` (AmbiGAN).

    Args:
        logits: Shape (N,).

    Returns:
        A scalar, at least 0.
    """
    return (-0.5 * (F.logsigmoid(logits) + F.logsigmoid(-logits)) - math.log(2)).mean()


def logit(logits: Tensor) -> Tensor:
    """``mean |logit(p)|``, whose gradient does not vanish where the model is sure of itself.

    Args:
        logits: Shape (N,).

    Returns:
        A scalar, at least 0.
    """
    return logits.abs().mean()


TERMS: dict[str, Callable[[Tensor], Tensor]] = {
    "gasten": gasten,
    "gaussian": gaussian,
    "kl": kl,
    "logit": logit,
}

"""What step 2 adds to the generator's loss, to be held against its formula.

``p = C(G(z))`` is the model's probability of the positive class, shape (N,).
"""

from __future__ import annotations

from torch import Tensor

from borderline.measures.confusion import confusion_distance


def gasten(p: Tensor, alpha: float) -> Tensor:
    """``alpha * mean |p - 0.5|`` (Cunha et al. 2023, equation of step 2).

    Args:
        p: Probabilities, shape (N,).
        alpha: Weight, at least 0.

    Returns:
        A scalar in [0, alpha / 2].
    """
    return alpha * confusion_distance(p).mean()

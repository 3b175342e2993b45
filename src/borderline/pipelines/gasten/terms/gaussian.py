"""The negative log-likelihood of p under a normal distribution around 0.5 (Teixeira et al. 2024).

Without a constant, and with variance 0.01: ``mean 0.5 [log s2 + (p - 0.5)^2 / s2]``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from borderline.pipelines.gasten.confusion_term import ConfusionTerm

if TYPE_CHECKING:
    from torch import Tensor

_VARIANCE = 0.01


class Term(ConfusionTerm):
    """In [-2.303, 10.197]."""

    weight = 1.0

    def loss(self, logits: Tensor) -> Tensor:
        """``mean 0.5 [log s2 + (p - 0.5)^2 / s2]``, s2 = 0.01."""
        p = logits.sigmoid()
        return 0.5 * (math.log(_VARIANCE) + (p - 0.5) ** 2 / _VARIANCE).mean()

"""The negative log-likelihood of p under a normal distribution around t (Teixeira et al. 2024).

Without a constant, and with variance 0.01: ``mean 0.5 [log s2 + (p - t)^2 / s2]``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from borderline.pipelines.gasten.confusion_term import ConfusionTerm

if TYPE_CHECKING:
    from torch import Tensor

_VARIANCE = 0.01


class Term(ConfusionTerm):
    """At least -2.303; at most 10.197 for t = 0.5."""

    weight = 1.0

    def loss(self, logits: Tensor) -> Tensor:
        """``mean 0.5 [log s2 + (p - t)^2 / s2]``, s2 = 0.01."""
        p = logits.sigmoid()
        return 0.5 * (math.log(_VARIANCE) + (p - self.threshold) ** 2 / _VARIANCE).mean()

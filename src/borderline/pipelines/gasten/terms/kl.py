"""The mean divergence KL(Bern(t) || Bern(p)), in nats (AmbiGAN, for t = 0.5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from borderline.pipelines.gasten.confusion_term import ConfusionTerm

if TYPE_CHECKING:
    from torch import Tensor


class Term(ConfusionTerm):
    """At least 0; its gradient by the logit does not vanish where the model is confident."""

    weight = 5.0

    def loss(self, logits: Tensor) -> Tensor:
        """``mean t ln(t / p) + (1 - t) ln((1 - t) / (1 - p))``."""
        from torch.nn import functional as F

        t = self.threshold
        least = -t * math.log(t) - (1 - t) * math.log(1 - t)
        cross = -t * F.logsigmoid(logits) - (1 - t) * F.logsigmoid(-logits)
        return (cross - least).mean()

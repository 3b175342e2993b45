"""The mean divergence KL(Bern(0.5) || Bern(p)), in nats (AmbiGAN)."""

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
        """``mean 0.5 [ln(0.5 / p) + ln(0.5 / (1 - p))]``."""
        from torch.nn import functional as F

        return (-0.5 * (F.logsigmoid(logits) + F.logsigmoid(-logits)) - math.log(2)).mean()

"""The mean distance of logits, ``mean |logit(p) - logit(t)|``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.pipelines.gasten.confusion_term import ConfusionTerm

if TYPE_CHECKING:
    from torch import Tensor


class Term(ConfusionTerm):
    """At least 0; its gradient by the logit does not vanish where the model is confident."""

    weight = 3.0

    def loss(self, logits: Tensor) -> Tensor:
        """``mean |logit(p) - logit(t)|``."""
        from borderline.boundary import logit

        return (logits - logit(self.threshold)).abs().mean()

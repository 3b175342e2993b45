"""The mean confusion distance, ``mean |p - 0.5|`` (Cunha et al. 2023, step 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.pipelines.gasten.confusion_term import ConfusionTerm

if TYPE_CHECKING:
    from torch import Tensor


class Term(ConfusionTerm):
    """In [0, 0.5]; its weight is that of Gomes et al. 2024."""

    weight: float | None = 25.0

    def loss(self, logits: Tensor) -> Tensor:
        """``mean |p - 0.5|``."""
        from borderline.measures.confusion import confusion_distance

        return confusion_distance(logits.sigmoid()).mean()

"""The mean confusion distance, ``mean |p - t|`` (Cunha et al. 2023, step 2, for t = 0.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.pipelines.gasten.confusion_term import ConfusionTerm

if TYPE_CHECKING:
    from torch import Tensor


class Term(ConfusionTerm):
    """In [0, max(t, 1 - t)]; its weight is that of Gomes et al. 2024."""

    weight: float | None = 25.0

    def loss(self, logits: Tensor) -> Tensor:
        """``mean |p - t|``."""
        return (logits.sigmoid() - self.threshold).abs().mean()

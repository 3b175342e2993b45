"""The interface of a confusion term, which pulls the generator to the decision boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from borderline.pipelines.gasten.gan import Gan


class ConfusionTerm(ABC):
    """An addition to the generator's loss that is least on the decision boundary, at p = t.

    Attributes:
        threshold: The decision threshold t of the model under test, in (0, 1).
        weight: The default weight, alpha; None for a term that finds its weight itself.
        takes_two_gradients: Whether its step takes two gradients of one forward pass, which
            ``torch.compile`` does not support.
        history_columns: Names of the scalars that its step returns beside the losses. The history
            has their means over the steps of an epoch.
    """

    weight: float | None
    takes_two_gradients = False
    history_columns: tuple[str, ...] = ()

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    @abstractmethod
    def loss(self, logits: Tensor) -> Tensor:
        """The term, a scalar, from the model's logits (N,) of generated images; p = sigmoid."""

    def step(
        self, gan: Gan, classifier: nn.Module, latents: Tensor, fake: Tensor, alpha: float
    ) -> tuple[Tensor, ...]:
        """Leave gradients in the generator: here those of ``L + alpha * loss``.

        ``fake`` (N, C, H, W) are the images of the ``latents`` (N, Z), with a graph; ``alpha`` is
        the weight of the term in this epoch. Returns the GAN's loss L, the term, and the scalars
        of ``history_columns``.
        """
        loss = gan.loss.generator(gan.discriminate(fake))
        confusion = self.loss(classifier(fake))
        (loss + alpha * confusion).backward()
        return loss, confusion

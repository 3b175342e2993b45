"""The ``gasten`` term and the GAN's loss in one step, by MGDA (Sener and Koltun 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.pipelines.gasten.terms import gasten

if TYPE_CHECKING:
    from torch import Tensor, nn

    from borderline.pipelines.gasten.gan import Gan


class Term(gasten.Term):
    """The formula of ``gasten``, weighted anew in every step.

    Attributes:
        normalise: Whether each gradient is first divided by its loss times its norm.
    """

    weight = None
    takes_two_gradients = True
    history_columns = ("generator_weight", "confusion_weight")
    normalise = False

    def step(
        self, gan: Gan, classifier: nn.Module, latents: Tensor, fake: Tensor, alpha: float
    ) -> tuple[Tensor, ...]:
        """Leave the gradient along which both losses fall; alpha has no meaning.

        Returns both losses and the weights of their gradients, gamma and 1 - gamma.
        """
        from borderline.pipelines.gasten.mgda import common_gradient

        parameters = list(gan.generator.parameters())
        loss = gan.loss.generator(gan.discriminate(fake))
        confusion = self.loss(classifier(fake))
        gradient, gamma = common_gradient(loss, confusion, parameters, normalise=self.normalise)
        for parameter, g in zip(parameters, gradient, strict=True):
            parameter.grad = g
        return loss, confusion, gamma, 1 - gamma

"""The ``gaussian`` term in two steps: a confusion step, then a GAN step (Teixeira et al. 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.pipelines.gasten.terms import gaussian

if TYPE_CHECKING:
    from torch import Tensor, nn

    from borderline.pipelines.gasten.gan import Gan

# The norm at which Teixeira et al. clip the gradients of both steps.
_CLIP = 0.5


class Term(gaussian.Term):
    """The formula of ``gaussian`` with another step."""

    def step(
        self, gan: Gan, classifier: nn.Module, latents: Tensor, fake: Tensor, alpha: float
    ) -> tuple[Tensor, ...]:
        """Take the confusion step, then leave the clipped gradients of the GAN's loss."""
        from torch.nn.utils import clip_grad_norm_

        parameters = list(gan.generator.parameters())
        confusion = self.loss(classifier(fake))
        (alpha * confusion).backward()
        clip_grad_norm_(parameters, _CLIP * alpha)
        gan.generator_optimiser.step()
        gan.generator_optimiser.zero_grad(set_to_none=True)
        # The confusion step has changed the generator, so its images are made anew.
        loss = gan.loss.generator(gan.discriminate(gan.generate(latents)))
        loss.backward()
        clip_grad_norm_(parameters, _CLIP)
        return loss, confusion

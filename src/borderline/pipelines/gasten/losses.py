"""The GAN's losses. Logits are positive for "real"."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Discriminate = Callable[[Tensor], Tensor]
"""Images (N, C, H, W) to the discriminator's logits (N,)."""


class NonSaturating:
    """``-log D(x) - log(1 - D(G(z)))`` and ``-log D(G(z))`` (Goodfellow et al. 2014).

    Attributes:
        history_columns: Names of the scalars that stand beside the discriminator's loss. The
            history has their means over the steps of an epoch.
    """

    history_columns: tuple[str, ...] = ()

    def discriminator(
        self, discriminate: Discriminate, real: Tensor, fake: Tensor, random: torch.Generator
    ) -> tuple[Tensor, ...]:
        """The loss for real images (N, C, H, W) and as many generated ones, a scalar.

        The scalars of ``history_columns`` follow it.
        """
        return (F.softplus(-discriminate(real)).mean() + F.softplus(discriminate(fake)).mean(),)

    def generator(self, fake_logits: Tensor) -> Tensor:
        """The loss for the logits (N,) of generated images, a scalar."""
        return F.softplus(-fake_logits).mean()


class WassersteinGradientPenalty:
    """``D(G(z)) - D(x) + weight (|grad D(x')| - 1)^2`` and ``-D(G(z))`` (Gulrajani et al. 2017).

    ``x'`` is a random point on the line between a real and a generated image. ``w_distance`` is
    ``D(x) - D(G(z))``, the estimate of the Wasserstein distance; ``gradient_penalty`` is the
    penalty without its weight. All are means over a batch.
    """

    history_columns = ("w_distance", "gradient_penalty")

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def discriminator(
        self, discriminate: Discriminate, real: Tensor, fake: Tensor, random: torch.Generator
    ) -> tuple[Tensor, ...]:
        """See :class:`NonSaturating`."""
        share = torch.rand(len(real), 1, 1, 1, generator=random).to(real.device)
        between = torch.lerp(real, fake, share).requires_grad_()
        (slope,) = torch.autograd.grad(discriminate(between).sum(), between, create_graph=True)
        penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
        drop = discriminate(fake).mean() - discriminate(real).mean()
        return drop + self.weight * penalty, -drop, penalty

    def generator(self, fake_logits: Tensor) -> Tensor:
        """See :class:`NonSaturating`."""
        return -fake_logits.mean()


GanLoss = NonSaturating | WassersteinGradientPenalty


def build_loss(name: str, gradient_penalty: float) -> GanLoss:
    """The losses ``ns`` or ``wgan_gp``, the latter with a weight of its penalty."""
    return NonSaturating() if name == "ns" else WassersteinGradientPenalty(gradient_penalty)

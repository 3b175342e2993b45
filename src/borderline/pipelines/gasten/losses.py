"""The GAN's losses. Logits are positive for "real"."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """``-log D(x) - log(1 - D(G(z)))``, the mean over the batch (Goodfellow et al. 2014).

    Args:
        real_logits: The discriminator's logits of real images, shape (N,).
        fake_logits: Its logits of generated images, shape (N,).
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """The non-saturating ``-log D(G(z))``, the mean over the batch (Goodfellow et al. 2014).

    Args:
        fake_logits: The discriminator's logits of generated images, shape (N,).
    """
    return F.softplus(-fake_logits).mean()

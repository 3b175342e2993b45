"""Two losses, one step: the multiple-gradient descent algorithm (Sener and Koltun 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def min_norm_weight(g1: Sequence[Tensor], g2: Sequence[Tensor]) -> Tensor:
    """The weight of the shortest vector between two gradients, in closed form.

    ``gamma = clip(<g2 - g1, g2> / |g1 - g2|^2, 0, 1)`` makes ``gamma g1 + (1 - gamma) g2`` the
    point of least norm on the line from g2 to g1; both losses fall along it. The weight is 1 where
    both gradients, a tensor for each parameter, are the same.
    """
    difference = [b - a for a, b in zip(g1, g2, strict=True)]
    numerator = _dot(difference, g2)
    denominator = _dot(difference, difference)
    return torch.where(denominator > 0, numerator / denominator, 1.0).clamp(0, 1)


def common_gradient(
    loss1: Tensor, loss2: Tensor, parameters: Sequence[Tensor], *, normalise: bool
) -> tuple[list[Tensor], Tensor]:
    """The gradient along which two losses with a common graph fall, and its weight gamma.

    The gradient is ``gamma g1 + (1 - gamma) g2``, a tensor for each parameter. With ``normalise``
    each of the two is first divided by its loss times its norm, so that the size of a loss no
    longer decides.
    """
    g1 = torch.autograd.grad(loss1, parameters, retain_graph=True)
    g2 = torch.autograd.grad(loss2, parameters)
    if normalise:
        g1, g2 = _normalised(g1, loss1), _normalised(g2, loss2)
    gamma = min_norm_weight(g1, g2)
    # Not a + gamma (b - a), which would round the shorter of two very unequal gradients away.
    return [gamma * a + (1 - gamma) * b for a, b in zip(g1, g2, strict=True)], gamma


def _normalised(gradient: Sequence[Tensor], loss: Tensor) -> tuple[Tensor, ...]:
    smallest = torch.finfo(loss.dtype).tiny
    scale = (loss.detach().abs() * _dot(gradient, gradient).sqrt()).clamp_min(smallest)
    return tuple(g / scale for g in gradient)


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    return torch.stack([torch.sum(a * b) for a, b in zip(one, other, strict=True)]).sum()

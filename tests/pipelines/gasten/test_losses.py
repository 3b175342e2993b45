from __future__ import annotations

import math

import pytest
import torch

from borderline.pipelines.gasten.confusion_terms import gasten
from borderline.pipelines.gasten.losses import discriminator_loss, generator_loss

LOGITS = torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_losses_are_the_logarithms_of_the_paper() -> None:
    real, fake = torch.sigmoid(LOGITS[:20]), torch.sigmoid(LOGITS[20:])
    expected = -real.log().mean() - (1 - fake).log().mean()
    assert discriminator_loss(LOGITS[:20], LOGITS[20:]).item() == pytest.approx(expected.item())
    assert generator_loss(LOGITS[20:]).item() == pytest.approx(-fake.log().mean().item())


def test_losses_stay_finite_where_the_logarithm_of_a_sigmoid_would_not() -> None:
    extreme = torch.tensor([1000.0, -1000.0])
    assert math.isfinite(discriminator_loss(extreme, extreme))
    assert generator_loss(torch.tensor([-1000.0])).item() == 1000


@pytest.mark.parametrize("alpha", [0.0, 1.0, 25.0])
def test_gasten_term_is_alpha_times_the_distance_with_its_gradient(alpha: float) -> None:
    p = torch.sigmoid(LOGITS).requires_grad_()
    loss = gasten(p, alpha)
    expected = alpha * sum(abs(x - 0.5) for x in p.tolist()) / len(p)
    assert loss.item() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(loss, p)
    assert torch.allclose(gradient, alpha * torch.sign(p.detach() - 0.5) / len(p))


def test_gasten_term_is_least_on_the_boundary() -> None:
    values = [gasten(torch.tensor([p]), 25).item() for p in (0.0, 0.3, 0.5, 0.7, 1.0)]
    assert min(values) == values[2] == 0
    assert values[0] == values[4] == 12.5

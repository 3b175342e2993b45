from __future__ import annotations

import pytest
import torch
from torch import Tensor

from borderline.pipelines.gasten.mgda import common_gradient, min_norm_weight

RANDOM = torch.Generator().manual_seed(3)


def pair_of_gradients() -> tuple[list[Tensor], list[Tensor]]:
    shapes = [(3, 4), (5,), ()]
    return tuple(
        [scale * torch.randn(shape, dtype=torch.float64, generator=RANDOM) for shape in shapes]
        for scale in (1.0, 10 ** (2 * torch.rand(1, generator=RANDOM).item() - 1))
    )


def flat(gradient: list[Tensor]) -> Tensor:
    return torch.cat([g.flatten() for g in gradient])


@pytest.mark.parametrize("_", range(20))
def test_weight_is_that_of_the_shortest_vector_by_brute_force(_: int) -> None:
    g1, g2 = pair_of_gradients()
    gammas = torch.linspace(0, 1, 100_001, dtype=torch.float64)[:, None]
    norms = (gammas * flat(g1) + (1 - gammas) * flat(g2)).norm(dim=1)
    brute_force = gammas[norms.argmin(), 0].item()
    assert min_norm_weight(g1, g2).item() == pytest.approx(brute_force, abs=1e-5)


def test_weight_at_the_ends_and_between_equals() -> None:
    one = [torch.tensor([1.0, 0.0])]
    assert min_norm_weight(one, [torch.tensor([2.0, 0.0])]) == 1
    assert min_norm_weight([torch.tensor([2.0, 0.0])], one) == 0
    assert min_norm_weight(one, [torch.tensor([0.0, 1.0])]) == 0.5
    assert min_norm_weight(one, one) == 1


def losses(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    shared = torch.tanh(x @ y)
    return (shared**2).sum() + 1, torch.exp(shared).mean()


@pytest.mark.parametrize("normalise", [False, True])
def test_common_gradient_is_the_combination_of_two_separate_ones(normalise: bool) -> None:
    x = torch.randn(3, 4, dtype=torch.float64, generator=RANDOM, requires_grad=True)
    y = torch.randn(4, 2, dtype=torch.float64, generator=RANDOM, requires_grad=True)
    separate = [torch.autograd.grad(losses(x, y)[i], (x, y)) for i in (0, 1)]
    if normalise:
        values = [loss.item() for loss in losses(x, y)]
        separate = [
            tuple(g / (value * flat(gradient).norm()) for g in gradient)
            for gradient, value in zip(separate, values, strict=True)
        ]
    gammas = torch.linspace(0, 1, 100_001, dtype=torch.float64)[:, None]
    candidates = gammas * flat(separate[0]) + (1 - gammas) * flat(separate[1])
    shortest = candidates.norm(dim=1).argmin()
    expected, brute_force = candidates[shortest], gammas[shortest].item()
    gradient, gamma = common_gradient(*losses(x, y), [x, y], normalise=normalise)
    assert torch.allclose(flat(gradient), expected, atol=1e-4)
    assert gamma.item() == pytest.approx(brute_force, abs=1e-4)


@pytest.mark.parametrize("normalise", [False, True])
def test_both_losses_fall_along_it(normalise: bool) -> None:
    x = torch.randn(3, 4, dtype=torch.float64, generator=RANDOM, requires_grad=True)
    y = torch.randn(4, 2, dtype=torch.float64, generator=RANDOM, requires_grad=True)
    gradient, _ = common_gradient(*losses(x, y), [x, y], normalise=normalise)
    for i in (0, 1):
        own = torch.autograd.grad(losses(x, y)[i], (x, y))
        assert torch.dot(flat(own), flat(gradient)) >= -1e-12


def test_vanished_gradient_is_no_division_by_zero() -> None:
    x = torch.ones(3, requires_grad=True)
    gradient, _ = common_gradient((0 * x).sum(), x.sum(), [x], normalise=True)
    assert torch.isfinite(gradient[0]).all()

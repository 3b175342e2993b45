from __future__ import annotations

import pytest
import torch
from torch import Tensor

from borderline.searching import find_crossings

N = 200
RANDOM = torch.Generator().manual_seed(0)
ROOTS = 0.02 + 0.96 * torch.rand(N, generator=RANDOM, dtype=torch.float64)
STEEPNESS = 10 ** (3 * torch.rand(N, generator=RANDOM, dtype=torch.float64) - 1)


def steep(shares: Tensor, rows: Tensor) -> Tensor:
    """Monotonous paths of every steepness, some as good as a step."""
    return 5 * torch.tanh(STEEPNESS[rows] * (shares - ROOTS[rows]))


def ends() -> tuple[Tensor, Tensor]:
    rows = torch.arange(N)
    return steep(torch.zeros(N), rows), steep(torch.ones(N), rows)


@pytest.mark.parametrize("tolerance", [0.05, 0.01, 0.0001])
def test_probabilities_found_are_within_the_tolerance(tolerance: float) -> None:
    shares, converged = find_crossings(steep, *ends(), torch.full((N,), 0.5), tolerance)
    assert converged.all()
    p = torch.sigmoid(steep(shares, torch.arange(N)))
    assert (p - 0.5).abs().max() <= tolerance


def test_only_unfinished_paths_are_evaluated_and_fewer_than_bisection_would() -> None:
    calls: list[int] = []

    def counting(shares: Tensor, rows: Tensor) -> Tensor:
        calls.append(len(rows))
        assert ((shares > 0) & (shares < 1)).all(), "the ends are known"
        return steep(shares, rows)

    find_crossings(counting, *ends(), torch.full((N,), 0.5), 0.01)
    assert calls == sorted(calls, reverse=True)
    assert calls[-1] < N / 4
    # Eight halvings cost 8 N evaluations and leave the steep paths unfinished.
    assert sum(calls) < 6 * N


def test_wished_for_probabilities_are_found() -> None:
    targets = torch.linspace(0.42, 0.58, N)
    shares, converged = find_crossings(steep, *ends(), targets, 0.005)
    p = torch.sigmoid(steep(shares, torch.arange(N)))
    assert ((p - targets).abs()[converged] <= 0.005).all()
    assert converged.double().mean() > 0.9


def test_jump_across_the_boundary_is_not_called_found() -> None:
    def jump(shares: Tensor, rows: Tensor) -> Tensor:
        return torch.where(shares < 0.37, -2.0, 2.0)

    _, converged = find_crossings(
        jump, torch.tensor([-2.0]), torch.tensor([2.0]), torch.tensor([0.5]), 0.01
    )
    assert not converged.any()

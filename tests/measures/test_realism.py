from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from borderline.measures.realism import frechet_distance


def features(n: int, d: int, shift: float = 0.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(n)
    mixing = torch.randn(d, d, generator=random)
    return torch.randn(n, d, generator=random) @ mixing + shift


def test_a_set_is_at_no_distance_from_itself() -> None:
    x = features(200, 8)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x[torch.randperm(200)]) == pytest.approx(0, abs=1e-6)


def test_a_shift_costs_its_square() -> None:
    x = features(300, 4)
    assert frechet_distance(x, x + 3) == pytest.approx(4 * 3**2, rel=1e-5)


def test_agrees_with_the_formula_and_is_symmetric() -> None:
    x, y = features(500, 16), features(400, 16, 1.0)
    a, b = x.double().numpy(), y.double().numpy()
    covariance_a, covariance_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    mean = a.mean(0) - b.mean(0)
    root = sqrtm(covariance_a @ covariance_b).real
    expected = mean @ mean + np.trace(covariance_a + covariance_b - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [0, 1, 8])
def test_no_more_images_than_dimensions_is_no_figure(n: int) -> None:
    assert math.isnan(frechet_distance(features(200, 8)[:n], features(200, 8)))
    assert math.isnan(frechet_distance(features(200, 8), features(200, 8)[:n]))

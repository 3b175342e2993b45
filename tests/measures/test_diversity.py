from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from borderline.measures.diversity import judge_diversity, near_distance
from borderline.measures.intervals import Estimate


def diversity(
    features: torch.Tensor, near: float = 0.1, among: int | None = None
) -> dict[str, Estimate]:
    return judge_diversity(features, near, len(features) if among is None else among)


def spread(n: int, d: int = 6) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(n))


def test_vendi_score_counts_wholly_different_images() -> None:
    assert diversity(torch.eye(5))["vendi"].value == pytest.approx(5)
    assert diversity(torch.eye(5).repeat(4, 1))["vendi"].value == pytest.approx(5)
    assert diversity(torch.ones(20, 5))["vendi"].value == pytest.approx(1)


def test_vendi_score_is_that_of_the_matrix_of_similarities() -> None:
    x = F.normalize(spread(40).double(), dim=1).numpy()
    values = np.linalg.eigvalsh(x @ x.T / 40)
    values = values[values > 1e-12]
    expected = math.exp(-(values * np.log(values)).sum())
    assert diversity(spread(40))["vendi"].value == pytest.approx(expected, rel=1e-9)


def test_near_duplicates_are_one_in_a_hundred_of_the_real_images() -> None:
    real = spread(1000)
    share = diversity(real, near_distance(real))["near_duplicates"]
    assert share.value == pytest.approx(0.01, abs=0.002)
    assert share.low < 0.01 < share.high


def test_a_mode_collapse_shows() -> None:
    real = spread(500)
    collapsed = spread(3)[torch.arange(500) % 3] + 1e-4 * spread(501)[:500]
    near = near_distance(real)
    assert diversity(collapsed, near)["near_duplicates"].value == 1
    assert diversity(spread(502)[:500], near)["near_duplicates"].value < 0.05
    fallen, healthy = (diversity(x)["vendi"] for x in (collapsed, real))
    assert fallen.high < healthy.low


def test_no_near_duplicate_seen_is_not_sure_to_be_none() -> None:
    share = diversity(100 * spread(200))["near_duplicates"]
    assert (share.value, share.low) == (0, 0)
    assert 0.01 < share.high < 0.06


def test_a_collapse_shows_where_real_images_have_exact_twins() -> None:
    real = spread(300).repeat(2, 1)
    near = near_distance(real)
    assert near < 1e-6
    assert diversity(spread(1).repeat(200, 1), near)["near_duplicates"].value == 1
    assert diversity(spread(301)[:200], near)["near_duplicates"].value == 0


def test_near_duplicates_are_looked_for_among_as_many_as_there_are_real_images() -> None:
    near = near_distance(spread(400))
    judged = spread(2000)
    assert diversity(judged, near, 400)["near_duplicates"].value < 0.03
    assert diversity(judged, near)["near_duplicates"].value > 0.03


def test_images_without_any_feature_are_alike() -> None:
    assert diversity(torch.zeros(50, 4))["vendi"].value == pytest.approx(1)

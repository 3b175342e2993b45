from __future__ import annotations

import math

import pytest
import torch

from borderline.measures.confusion import (
    average_confusion_distance,
    borderline_yield,
    confusion_distance,
    is_borderline,
    probability_histogram,
)


def test_distance_is_0_on_the_boundary_and_symmetric() -> None:
    p = torch.linspace(0, 1, 11, dtype=torch.float64)
    assert confusion_distance(p).tolist() == pytest.approx([abs(x - 0.5) for x in p.tolist()])
    assert torch.allclose(confusion_distance(p), confusion_distance(1 - p))


@pytest.mark.parametrize(("p", "acd"), [([0.5] * 3, 0), ([0.0, 1.0], 0.5), ([0.25, 0.5], 0.125)])
def test_average_of_known_sets(p: list[float], acd: float) -> None:
    assert average_confusion_distance(torch.tensor(p)) == acd


def test_average_of_nothing_is_not_a_number() -> None:
    assert math.isnan(average_confusion_distance(torch.zeros(0)))
    assert math.isnan(borderline_yield(torch.zeros(0), 0.1))


def test_band_is_open_and_grows() -> None:
    p = torch.tensor([0.375, 0.45, 0.5, 0.625], dtype=torch.float64)
    assert is_borderline(p, 0.125).tolist() == [False, True, True, False]
    assert borderline_yield(p, 0.125) == 0.5
    yields = [borderline_yield(p, band) for band in (0.01, 0.1, 0.126, 0.5)]
    assert yields == sorted(yields)
    assert yields[-1] == 1


def test_histogram_counts_every_image_once() -> None:
    p = torch.tensor([0.0, 0.049, 0.05, 0.5, 0.999, 1.0])
    counts = probability_histogram(p, 20)
    assert counts.sum() == len(p)
    assert counts[0] == 2
    assert counts[10] == 1
    assert counts[19] == 2

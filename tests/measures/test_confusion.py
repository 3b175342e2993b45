from __future__ import annotations

import math

import pytest
import torch

from borderline.boundary import Boundary
from borderline.measures.confusion import (
    Confusion,
    at_temperature,
    average_confusion_distance,
    borderline_yield,
    confusion_distance,
    is_borderline,
)
from conftest import BOUNDARY


def hubris(p: torch.Tensor) -> float:
    return Confusion.of(p, BOUNDARY, 20).estimates(BOUNDARY)["hubris"].value


def test_distance_is_0_on_the_boundary_and_symmetric() -> None:
    p = torch.linspace(0, 1, 11, dtype=torch.float64)
    assert confusion_distance(p, BOUNDARY).tolist() == pytest.approx(
        [abs(x - 0.5) for x in p.tolist()]
    )
    assert torch.allclose(confusion_distance(p, BOUNDARY), confusion_distance(1 - p, BOUNDARY))


@pytest.mark.parametrize(("p", "acd"), [([0.5] * 3, 0), ([0.0, 1.0], 0.5), ([0.25, 0.5], 0.125)])
def test_average_of_known_sets(p: list[float], acd: float) -> None:
    assert average_confusion_distance(torch.tensor(p), BOUNDARY) == acd


def test_average_of_nothing_is_not_a_number() -> None:
    assert math.isnan(average_confusion_distance(torch.zeros(0), BOUNDARY))
    assert math.isnan(borderline_yield(torch.zeros(0), BOUNDARY))


def band(width: float) -> Boundary:
    return {**BOUNDARY, "band": width}


def test_band_is_open_and_grows() -> None:
    p = torch.tensor([0.375, 0.45, 0.5, 0.625], dtype=torch.float64)
    assert is_borderline(p, band(0.125)).tolist() == [False, True, True, False]
    assert borderline_yield(p, band(0.125)) == 0.5
    yields = [borderline_yield(p, band(width)) for width in (0.01, 0.1, 0.126, 0.5)]
    assert yields == sorted(yields)
    assert yields[-1] == 1


def test_histogram_counts_every_image_once() -> None:
    p = torch.tensor([0.0, 0.049, 0.05, 0.5, 0.999, 1.0])
    counts = Confusion.of(p, BOUNDARY, 20).histogram
    assert counts.sum() == len(p)
    assert counts[0] == 2
    assert counts[10] == 1
    assert counts[19] == 2


def test_hubris_of_known_sets() -> None:
    even = torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert hubris(even) == pytest.approx(1 - math.exp(-1), rel=1e-12)
    assert hubris(torch.full((100,), 0.5)) == 0
    sure = hubris(torch.tensor([0.0, 1.0] * 5000))
    # ln 2 over the mean divergence of an even spread, which tends to ln 2 - 1/2.
    assert sure == pytest.approx(1 - math.exp(-math.log(2) / (math.log(2) - 0.5)), abs=1e-3)
    assert sure == pytest.approx(0.97, abs=0.005)
    drawn = torch.rand(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert hubris(drawn) == pytest.approx(1 - math.exp(-1), abs=2e-3)
    assert math.isnan(hubris(torch.tensor([0.5])))


@pytest.mark.parametrize("size", [1, 3, 100, 1000])
def test_sums_do_not_depend_on_the_batches(size: int) -> None:
    p = torch.rand(1000, generator=torch.Generator().manual_seed(1))
    parts = Confusion.of(p[:0], BOUNDARY, 20)
    for part in p.split(size):
        parts += Confusion.of(part, BOUNDARY, 20)
    scores = parts.estimates(BOUNDARY)
    assert scores["yield"].value == borderline_yield(p, BOUNDARY)
    assert scores["acd"].value == pytest.approx(average_confusion_distance(p, BOUNDARY), rel=1e-12)
    assert scores["hubris"].value == pytest.approx(hubris(p), rel=1e-12)
    assert scores["above_half"].value == (p > 0.5).double().mean().item()
    assert torch.equal(parts.histogram, torch.histc(p.double(), 20, 0, 1).long())
    for estimate in scores.values():
        assert estimate.low < estimate.value < estimate.high


def test_sums_over_nothing_have_no_scores() -> None:
    scores = Confusion.of(torch.zeros(0), BOUNDARY, 20).estimates(BOUNDARY)
    assert all(math.isnan(estimate.value) for estimate in scores.values())


def test_temperature_moves_p_towards_or_away_from_the_boundary() -> None:
    p = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    assert at_temperature(p, 1.0).tolist() == pytest.approx(p.tolist())
    softer = at_temperature(p, 2.0)
    assert softer[1] == pytest.approx(1 / (1 + 9**0.5))
    assert softer[2] == 0.5
    assert (
        confusion_distance(at_temperature(p, 0.5), BOUNDARY)
        >= confusion_distance(p.double(), BOUNDARY)
    ).all()

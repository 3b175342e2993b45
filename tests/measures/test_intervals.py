from __future__ import annotations

import math

import pytest
import torch

from borderline.measures.diversity import judge_diversity, near_distance
from borderline.measures.intervals import (
    Estimate,
    estimate,
    estimate_by_groups,
    estimate_of_distinct,
    estimate_of_effective_share,
    estimate_of_mean,
    estimate_of_repeats,
    estimate_of_share,
    estimate_of_sums,
    resample,
)
from borderline.measures.realism import Reference, judge_frechet, judge_realism


def test_resamples_draw_every_image_as_often_and_repeat_with_their_seed() -> None:
    weights = resample(50, 400, 3)
    assert weights.shape == (400, 50)
    assert (weights.sum(1) == 50).all()
    assert weights.mean(0).sub(1).abs().max() < 0.25
    assert torch.equal(weights, resample(50, 400, 3))
    assert not torch.equal(weights, resample(50, 400, 4))


def test_the_bias_of_resamples_is_taken_out() -> None:
    result = estimate(10.0, torch.linspace(90, 110, 201, dtype=torch.float64))
    assert result.value == 10
    assert (result.low, result.high) == (pytest.approx(0.5), pytest.approx(19.5))


def test_interval_of_a_mean_is_the_normal_one() -> None:
    values = torch.randn(2000, generator=torch.Generator().manual_seed(0)).double()
    result = estimate_of_mean(values, resample(2000, 2000, 0))
    sums = estimate_of_sums(2000, values.sum().item(), (values**2).sum().item())
    assert sums.value == pytest.approx(result.value) == pytest.approx(values.mean().item())
    half = 1.959964 * values.std().item() / math.sqrt(2000)
    assert sums.high - sums.value == pytest.approx(half)
    assert result.high - result.low == pytest.approx(2 * half, rel=0.07)


def test_share_has_an_interval_at_its_ends_too() -> None:
    none, all_of_them = estimate_of_share(0, 100), estimate_of_share(100, 100)
    assert (none.value, none.low) == (0, pytest.approx(0, abs=1e-9))
    assert none.high == pytest.approx(0.037, abs=0.001)
    assert all_of_them.low == pytest.approx(1 - none.high)
    assert math.isnan(estimate_of_share(0, 0).value)
    assert math.isnan(estimate_of_sums(0, 0.0, 0.0).value)


def test_range_of_a_statistic_bounds_its_interval_only() -> None:
    assert Estimate(0.9, 0.7, 1.2).within(0, 1) == Estimate(0.9, 0.7, 1.0)
    assert all(math.isnan(x) for x in Estimate.none().within(0, 1))


def test_intervals_are_as_wide_as_the_spread_over_fresh_images() -> None:
    random = torch.Generator().manual_seed(0)
    mixing = torch.randn(8, 8, generator=random).double() / 2
    real = torch.relu(torch.randn(500, 8, generator=random).double() @ mixing + 0.3)
    reference, near = Reference.of(real, 5), near_distance(real[:200])

    def fresh(resamples: int) -> dict[str, Estimate]:
        x = torch.relu(1.1 * torch.randn(200, 8, generator=random).double() @ mixing + 0.45)
        result = judge_realism(x, reference, 5, resample(200, resamples, 0))
        return result | judge_diversity(x, near, 200) | {"fd": judge_frechet(x, reference)}

    samples = [fresh(2) for _ in range(200)]
    intervals = [fresh(200) for _ in range(12)]
    bounds = {"coverage": (0.85, 1.25), "recall": (0.7, 1.5), "near_duplicates": (0.8, 2.5)}
    for name in samples[0]:
        spread = torch.tensor([f[name].value for f in samples]).std().item()
        width = torch.tensor([i[name].high - i[name].low for i in intervals]).mean().item()
        low, high = bounds.get(name, (0.8, 1.5))
        assert low * spread < width / 3.92 < high * spread, name


def test_interval_of_a_distance_holds_where_images_are_hardly_more_than_dimensions() -> None:
    random = torch.Generator().manual_seed(0)
    reference = Reference.of(torch.randn(2000, 64, generator=random), 5)

    def fresh() -> Estimate:
        return judge_frechet(torch.randn(150, 64, generator=random) * 1.2, reference)

    samples = [fresh() for _ in range(60)]
    spread = torch.tensor([f.value for f in samples]).std().item()
    width = torch.tensor([f.high - f.low for f in samples]).mean().item()
    assert 0.7 * spread < width / 3.92 < 2 * spread


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(2)).double()
    result = estimate_by_groups(values.mean().item(), lambda rows: values[rows].mean().item(), 1000)
    error = values.std().item() / math.sqrt(1000)
    # Twenty groups know the error to a sixth.
    assert result.high - result.value == pytest.approx(2.093 * error, rel=0.4)


def test_a_share_that_no_resample_varies_is_not_certain() -> None:
    result = estimate_of_distinct(1.0, torch.ones(50), 100)
    assert result == estimate_of_share(100, 100)


def test_few_repeats_have_students_interval() -> None:
    result = estimate_of_repeats([1.0, 2.0, 3.0, math.nan])
    # t of 2 degrees of freedom at .975, times the standard error of three values.
    assert result == pytest.approx(
        (2.0, 2 - 4.3027 / math.sqrt(3), 2 + 4.3027 / math.sqrt(3)), rel=1e-4
    )
    assert estimate_of_repeats([5.0])[:1] == (5.0,)
    assert math.isnan(estimate_of_repeats([5.0]).low)
    assert math.isnan(estimate_of_repeats([]).value)


@pytest.mark.parametrize(("hits", "images"), [(0, 7), (3, 7), (7, 7), (1, 200), (0, 1)])
def test_share_of_independent_answers_has_the_interval_of_wilson(hits: int, images: int) -> None:
    found = estimate_of_effective_share(hits / images, images)
    assert found == pytest.approx(estimate_of_share(hits, images), abs=1e-6)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_share_of_fewer_effective_answers_is_less_certain() -> None:
    wide, narrow = (estimate_of_effective_share(0.3, size) for size in (10.5, 30))
    assert wide.low < narrow.low < 0.3 < narrow.high < wide.high
    assert all(map(math.isnan, estimate_of_effective_share(0.3, 0)))

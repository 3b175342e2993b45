from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import t

from borderline.measures.diversity import judge_diversity, near_distance
from borderline.measures.intervals import (
    Estimate,
    draws_by_group,
    estimate,
    estimate_by_groups,
    estimate_of_distinct,
    estimate_of_effective_share,
    estimate_of_grouped_mean,
    estimate_of_grouped_share,
    estimate_of_mean,
    estimate_of_repeats,
    estimate_of_share,
    estimate_of_sums,
    resample,
    score_test_by_group,
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

    samples = [fresh(2) for _ in range(100)]
    intervals = [fresh(200) for _ in range(6)]
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


def test_mean_of_few_images_has_students_interval() -> None:
    values = torch.tensor([0.1, 0.4, 0.2, 0.7])
    half = t.ppf(0.975, 3) * values.double().std().item() / 2
    expected = (0.35, 0.35 - half, 0.35 + half)
    assert estimate_of_grouped_mean(values) == pytest.approx(expected)
    # Each image twice, as a group of its own, says no more.
    twice = values.repeat(2), torch.arange(4).repeat(2)
    assert estimate_of_grouped_mean(*twice) == pytest.approx(expected)
    one = estimate_of_grouped_mean(values, torch.zeros(4))
    assert one.value == pytest.approx(0.35)
    assert math.isnan(one.low)
    assert math.isnan(estimate_of_grouped_mean(values[:0]).value)


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


def grouped(groups: int, size: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Hits of images whose groups differ in their share of hits, and the groups."""
    random = np.random.default_rng(seed)
    shares = random.beta(2, 1, groups)
    hits = random.random((groups, size)) < shares[:, None]
    return torch.from_numpy(hits.ravel()), torch.arange(groups).repeat_interleave(size)


def test_interval_by_group_covers_the_share_where_that_of_images_does_not() -> None:
    covered = np.zeros(2)
    for seed in range(200):
        hits, groups = grouped(20, 10, seed)
        for i, of in enumerate((groups, None)):
            share = estimate_of_grouped_share(hits, of)
            covered[i] += share.low <= 2 / 3 <= share.high
    by_group, by_image = covered / 200
    assert 0.91 <= by_group <= 0.99
    assert by_image < 0.85


def test_groups_of_one_image_are_no_groups() -> None:
    hits = torch.arange(30) % 3 > 0
    assert estimate_of_grouped_share(hits, torch.arange(30).flip(0) * 7) == estimate_of_share(
        20, 30
    )
    assert estimate_of_grouped_share(hits[:0], torch.arange(0)).value != 0  # NaN
    same = [draws_by_group(groups, 30, 3, seed=0) for groups in (None, torch.arange(30))]
    assert all((one == other).all() for one, other in zip(*same, strict=True))


def test_one_group_has_no_interval_and_all_hits_count_each_group_once() -> None:
    zeros = torch.zeros(8, dtype=torch.long)
    one = estimate_of_grouped_share(torch.arange(8) > 1, zeros)
    assert one.value == 0.75
    assert np.isnan([one.low, one.high]).all()
    assert draws_by_group(zeros, 8, 3, seed=0) == []
    everything = estimate_of_grouped_share(torch.ones(40, dtype=torch.bool), torch.arange(40) // 10)
    assert everything.low < estimate_of_share(4, 4).low
    # Groups alike: more certain than independent images, which bound the interval.
    alike = estimate_of_grouped_share(torch.arange(400) % 2 == 0, torch.arange(400) // 4)
    assert alike.low == pytest.approx(estimate_of_share(200, 400).low, abs=0.002)


def test_resamples_of_groups_hold_whole_groups() -> None:
    groups = torch.tensor([5, 5, 9, 5, 2])
    for rows in draws_by_group(groups, 5, 20, seed=0):
        drawn, counts = np.unique(groups.numpy()[rows], return_counts=True)
        sizes = {2: 1, 5: 3, 9: 1}
        times = [
            count // sizes[g] for g, count in zip(drawn.tolist(), counts.tolist(), strict=True)
        ]
        assert sum(times) == 3


def test_score_test_by_group_by_hand_and_at_its_ends() -> None:
    hits, inside = np.array([1, 1, 0, 0, 0, 0]) > 0, np.array([1, 1, 1, 0, 0, 0]) > 0
    member = np.array([0, 0, 1, 1, 2, 2])
    scores = np.array([2 * (2 / 3) / 3, -(1 / 3) / 3 + (1 / 3) / 3, 2 * (1 / 3) / 3])
    error = np.sqrt(3 / 2 * (scores**2).sum())
    assert score_test_by_group(hits, inside, member) == pytest.approx(t.sf(scores.sum() / error, 2))
    assert score_test_by_group(hits, inside | True, member) == 1
    assert score_test_by_group(hits & False, inside, member) == 1
    assert np.isnan(score_test_by_group(hits, inside, member * 0))

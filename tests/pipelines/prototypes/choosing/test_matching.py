from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from borderline.pipelines.prototypes.choosing.matching import (
    matched_similarities,
    mean_match,
    stability,
    stability_of_draws,
)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a @ b) / ((a @ a) * (b @ b)) ** 0.5)


def test_partners_are_those_of_the_best_assignment() -> None:
    random = np.random.default_rng(2)
    first, second = random.normal(size=(4, 3)), random.normal(size=(4, 3))
    similarities, partners = matched_similarities(first, second)
    sums = [
        sum(cosine(first[i], second[j]) for i, j in enumerate(order))
        for order in itertools.permutations(range(4))
    ]
    assert similarities.sum() == pytest.approx(max(sums))
    assert similarities == pytest.approx(
        [cosine(a, second[j]) for a, j in zip(first, partners, strict=True)]
    )


def test_prototypes_left_over_have_no_partner() -> None:
    first = np.eye(3)
    similarities, partners = matched_similarities(first, first[[2, 0]])
    assert similarities.tolist() == pytest.approx([1, np.nan, 1], nan_ok=True)
    assert partners.tolist() == [1, -1, 0]


def test_stability_is_the_mean_match_over_runs() -> None:
    same = stability(np.eye(3), [np.eye(3)[[2, 0, 1]], np.eye(3)])
    assert same == pytest.approx((1, 1, 1))
    # Both of two have the one there is, but for one it is a stranger.
    assert stability(np.eye(2), [np.eye(2)[:1]]).value == pytest.approx(0.5)
    many, one = np.eye(20)[:15], np.eye(20)[:1]
    assert stability(many, [one, one]).value == pytest.approx(1 / 15), "14 of 15 are not found"
    assert math.isnan(stability(np.eye(2), []).value)


def test_draws_have_the_stability_of_single_choices() -> None:
    random = np.random.default_rng(0)
    draws, more, fewer = (random.normal(size=(4, count, 5)) for count in (3, 4, 2))
    together = stability_of_draws(draws, [more, fewer])
    single = [stability(d, [m, f]).value for d, m, f in zip(draws, more, fewer, strict=True)]
    assert together == pytest.approx(single)
    assert np.isnan(stability_of_draws(draws, [])).all()
    assert np.isnan(mean_match(draws, fewer[:, :0])).all()

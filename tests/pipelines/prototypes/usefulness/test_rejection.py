from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from borderline.pipelines.prototypes.usefulness.rejection import (
    BEST,
    CHANCE,
    compare_rejection,
    risks,
)

RANDOM = np.random.default_rng(0)


def test_risk_is_the_error_rate_of_the_answered() -> None:
    scores, wrong = RANDOM.permutation(12).astype(float), RANDOM.random(12) < 0.4
    curve = risks(scores, wrong)
    for k in range(1, 13):
        answered = sorted(range(12), key=lambda i: -scores[i])[:k]
        assert curve[k - 1] == pytest.approx(sum(wrong[i] for i in answered) / k)


def test_equal_scores_are_the_mean_over_every_order() -> None:
    scores, wrong = np.array([1.0, 0.0, 0.0, 0.0]), np.array([False, True, False, True])
    orders = [
        risks(scores + 1e-6 * np.array([0, *order]), wrong)
        for order in itertools.permutations(range(3))
    ]
    assert risks(scores, wrong) == pytest.approx(np.mean(orders, axis=0))


def test_good_scores_beat_chance_and_hindsight_beats_all() -> None:
    wrong = RANDOM.random(400) < 0.15
    sure = np.where(wrong, 0.0, 1.0) + RANDOM.normal(0, 0.5, 400)
    scores = {"confidence": sure, "prototypes": RANDOM.normal(size=400)}
    table = compare_rejection(scores, wrong, 0).set_index("abstains_by")
    areas = table["aurc"]
    assert areas[BEST] < areas["confidence"] < areas["prototypes"]
    assert areas[CHANCE] == pytest.approx(wrong.mean())
    assert table["gain"]["confidence"] == 0
    assert table["gain_high"]["prototypes"] < 0
    assert table["says"]["prototypes"].startswith("Abstaining near prototypes on 40 of 400 images")
    assert table["says"]["prototypes"].endswith("it is worse than abstaining by confidence.")
    assert table["gain_low"][BEST] > 0
    assert table["errors_in_first_10"][CHANCE] == pytest.approx(0.1)
    assert table["risk_at_80"]["confidence"] == pytest.approx(risks(sure, wrong)[319])
    assert (table["low"] <= table["aurc"]).all()
    assert (table["aurc"] <= table["high"]).all()


def test_model_without_errors_needs_no_abstaining() -> None:
    scores = {"confidence": RANDOM.random(30)}
    table = compare_rejection(scores, np.zeros(30, dtype=bool), 0)
    assert (table["aurc"] == 0).all()
    assert table["errors_in_first_10"].isna().all()
    assert table["says"].str.contains("no errors").all()


def test_ways_to_abstain_are_compared_by_group() -> None:
    wrong = np.arange(60) % 20 < 4
    scores = {"confidence": RANDOM.random(60), "prototypes": RANDOM.random(60)}
    plain, alone = (compare_rejection(scores, wrong, 0, g) for g in (None, torch.arange(60)))
    assert plain.equals(alone)
    groups = torch.from_numpy(np.where(wrong, 0, 1 + np.arange(60) // 6))
    table = compare_rejection(scores, wrong, 0, groups)
    # All errors are in one group, which resamples draw or not.
    wider = (table["high"] - table["low"]) / (plain["high"] - plain["low"])
    assert (wider > 1.2).all()
    one = compare_rejection(scores, wrong, 0, torch.zeros(60))
    assert one[["low", "high", "gain_low"]].isna().all(axis=None)
    assert "does not differ significantly" in one["says"][1]

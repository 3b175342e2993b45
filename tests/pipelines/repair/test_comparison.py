from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binomtest, false_discovery_control, t, ttest_rel

from borderline.measures.mcnemar import mcnemar_by_group
from borderline.pipelines.repair.comparison import MEASURES, compare_arms
from conftest import base_settings
from repairs import compared, fresh_of

# Errors of each seed, by row.
WRONG = {
    "again": [range(8), range(9), range(7)],
    "boundary": [range(4), range(4), range(5)],
    "random": [range(8), range(8), range(8)],
}


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    base_settings()  # Reading them warns.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def errors_of(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["measure"] == "error"].set_index("arm")


def test_arms_are_paired_by_seed_and_corrected_together() -> None:
    table = compare_arms(*compared(WRONG, images=100))
    assert set(table.loc[table["main"], "measure"]) == {"error"}
    assert set(table["measure"]) == set(MEASURES)
    rows = errors_of(table)
    again, boundary, random = ([len(s) / 100 for s in WRONG[arm]] for arm in WRONG)
    row = rows.loc["boundary"]
    assert (row["images"], row["seeds"]) == (100, 3)
    assert row["mean"] == pytest.approx(np.mean(boundary))
    half = t.ppf(0.975, 2) * np.std(boundary, ddof=1) / math.sqrt(3)
    assert (row["low"], row["high"]) == pytest.approx((row["mean"] - half, row["mean"] + half))
    ps = [ttest_rel(arm, again).pvalue for arm in (boundary, random)]
    assert row["again_difference"] == pytest.approx(np.mean(boundary) - np.mean(again))
    interval = ttest_rel(boundary, again).confidence_interval()
    assert (row["again_low"], row["again_high"]) == pytest.approx(tuple(interval))
    assert row["again_p"] == pytest.approx(ps[0])
    corrected = rows.loc[["boundary", "random"], "again_corrected_p"]
    assert corrected.tolist() == pytest.approx(false_discovery_control(ps))
    # The only arm that has the other control.
    assert row["random_corrected_p"] == row["random_p"]
    assert row["random_p"] == pytest.approx(ttest_rel(boundary, random).pvalue)
    assert rows.loc[["as_is", "again"], ["again_p", "random_p"]].isna().all(axis=None)
    assert math.isnan(rows["random_p"]["random"])
    assert (rows["seeds"]["as_is"], rows["mean"]["as_is"]) == (0, 0)


def test_majority_is_compared_by_mcnemars_test() -> None:
    rows = errors_of(compare_arms(*compared(WRONG, images=100)))
    row = rows.loc["boundary"]
    # The majority gets the first 4 images wrong, and of the control the first 8.
    assert (row["again_only_arm_wrong"], row["again_only_control_wrong"]) == (0, 4)
    assert row["again_mcnemar_p"] == binomtest(0, 4).pvalue
    # No image differs between the majorities of both controls.
    assert rows["again_mcnemar_p"]["random"] == 1
    assert row["again_mcnemar_corrected_p"] == 2 * binomtest(0, 4).pvalue


def test_images_of_a_group_count_together() -> None:
    groups = torch.arange(100) // 10
    rows = errors_of(compare_arms(*compared(WRONG, images=100, groups=groups)))
    first = np.arange(100)
    p = mcnemar_by_group(first < 4, first < 8, groups.numpy())
    assert rows["again_mcnemar_p"]["boundary"] == pytest.approx(max(p, 0.125))
    assert p > 0.125


@pytest.mark.parametrize("wrong", [range(8), range(4)])
def test_differences_that_do_not_vary_are_not_tested(wrong: Sequence[int]) -> None:
    arms = {"again": [range(8)] * 3, "boundary": [wrong] * 3, "random": WRONG["again"]}
    rows = errors_of(compare_arms(*compared(arms, images=30)))
    row = rows.loc["boundary"]
    assert row["again_difference"] == pytest.approx((len(wrong) - 8) / 30)
    assert row[["again_low", "again_high", "again_p", "again_corrected_p"]].isna().all()
    assert math.isnan(row["low"])
    # They count in the correction of the other arm.
    assert rows["again_p"]["random"] == pytest.approx(1)


def test_rounding_is_no_variation() -> None:
    # 1/3 - 2/3 and 5/3 - 6/3 differ in the last bit.
    arms = {"again": [range(2), range(3), range(1)], "boundary": [range(1), range(2), range(0)]}
    row = errors_of(compare_arms(*compared(arms, images=3))).loc["boundary"]
    assert row["again_difference"] == pytest.approx(-1 / 3)
    assert math.isnan(row["again_p"])


def test_measures_of_patterns_are_corrected_together() -> None:
    fresh = fresh_of([0, 0, 0, 1])
    fresh_wrong = {
        "again": [[0, 1, 3], [0, 1, 2], [0]],
        "boundary": [[], [], [0]],
        "random": [[0], [1, 2], []],
    }
    table = compare_arms(
        *compared(WRONG, images=100, fresh=fresh, fresh_wrong=fresh_wrong, near=[0], patterns=2)
    )
    rows = table[(table["measure"] == "fresh_accuracy") & table["pattern"].notna()]
    assert rows["images"].tolist() == [3, 1] * 4
    tested = rows[rows["arm"].isin(("boundary", "random"))]
    expected = false_discovery_control(tested["again_p"].fillna(1))
    known = tested["again_p"].notna()
    assert known.any()
    assert tested["again_corrected_p"][known].tolist() == pytest.approx(expected[known])
    # A single image is near a pattern, and always wrong; none is near the other.
    near = table[(table["measure"] == "error_near") & (table["arm"] == "boundary")]
    assert near["images"].tolist() == [1, 1, 0]
    assert near["mean"].tolist()[:2] == [1, 1]
    assert near["mean"].isna().tolist() == [False, False, True]
    assert near["again_p"].isna().all()


def test_without_random_patterns_or_fresh_images_there_is_nothing_to_compare() -> None:
    arms = {arm: WRONG[arm] for arm in ("again", "boundary")}
    table = compare_arms(*compared(arms, images=100))
    assert table["random_p"].isna().all()
    assert table["random_mcnemar_p"].isna().all()
    rows = table[table["measure"].isin(("error_near", "fresh_accuracy"))]
    assert rows["pattern"].isna().all()
    assert rows["mean"].isna().all()
    assert (rows["images"] == 0).all()


def test_interval_of_a_share_ends_at_0() -> None:
    arms = {"again": [range(3), [], []], "boundary": [range(30), range(30), range(29)]}
    rows = errors_of(compare_arms(*compared(arms, images=30)))
    assert (rows["low"]["again"], rows["high"]["boundary"]) == (0, 1)


def test_seeds_without_scores_are_left_out_of_pairs() -> None:
    outcomes, tested = compared(WRONG, images=100)
    bad = outcomes[1]._replace(test_p=torch.full((100,), math.nan))
    rows = errors_of(compare_arms([outcomes[0], bad, *outcomes[2:]], tested))
    assert rows["seeds"].to_dict() == {"as_is": 0, "again": 2, "boundary": 3, "random": 3}
    p = ttest_rel([0.04, 0.05], [0.09, 0.07]).pvalue
    assert rows["again_p"]["boundary"] == pytest.approx(p)

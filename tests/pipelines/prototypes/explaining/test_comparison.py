from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import permutation_test

from borderline.pipelines.prototypes.explaining.comparison import FEWEST, compare


def groups(shift: float, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    first = {"plain": random.normal(shift, 1, 40), "other": random.normal(0, 2, 40)}
    second = {"plain": random.normal(0, 1, 60), "other": random.normal(0, 2, 60)}
    return pd.DataFrame(first), pd.DataFrame(second)


def test_effect_is_cohens_d() -> None:
    first = pd.DataFrame({"x": [1.0, 2, 3, 4, 5]})
    second = first + 1.5
    row = compare(first, second, 99, seed=0).loc["x"]
    assert (row["mean"], row["other_mean"]) == (3, 4.5)
    assert row["effect"] == pytest.approx(-1.5 / np.sqrt(2.5))


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_p_value_is_that_of_scipy(shift: float) -> None:
    first, second = groups(shift)
    table = compare(first, second, 4999, seed=0)
    for name in first:
        expected = permutation_test(
            (first[name], second[name]),
            lambda a, b, axis: a.mean(axis) - b.mean(axis),
            vectorized=True,
            n_resamples=4999,
            rng=1,
        )
        assert table["p_value"][name] == pytest.approx(expected.pvalue, abs=0.02)


def test_missing_values_are_left_out() -> None:
    first, second = groups(1.0)
    with_gaps = first.reindex(range(60))
    full, gaps = (compare(one, second, 999, seed=0) for one in (first, with_gaps))
    assert gaps["effect"].to_numpy() == pytest.approx(full["effect"].to_numpy())
    assert gaps["p_value"].to_numpy() == pytest.approx(full["p_value"].to_numpy(), abs=0.05)
    few = first.copy()
    few.loc[FEWEST - 1 :, "plain"] = np.nan
    assert compare(few, second, 99, seed=0).loc["plain", ["effect", "p_value"]].isna().all()


def test_equal_values_differ_in_nothing_and_constant_ones_in_everything() -> None:
    first = pd.DataFrame({"same": [1.0] * 8, "apart": [1.0] * 8})
    second = pd.DataFrame({"same": [1.0] * 8, "apart": [0.0] * 8})
    table = compare(first, second, 999, seed=0)
    assert table.loc["same", ["effect", "p_value"]].isna().all()
    assert table.loc["apart", "effect"] == np.inf
    assert table.loc["apart", "p_value"] < 0.01


def test_comparison_repeats() -> None:
    one, two = (compare(*groups(0.3), 199, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)

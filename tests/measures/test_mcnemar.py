from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binom, chi2

from borderline.measures.mcnemar import Wrong, compare_wrong, mcnemar_by_group, only_one_wrong


def test_errors_of_one_alone_are_counted_and_tested() -> None:
    this = np.array([True] * 9 + [False] * 11)
    other = np.array([False] * 8 + [True, True] + [False] * 10)
    ours, theirs, p = only_one_wrong(this, other)
    assert (ours, theirs) == (8, 1)
    # Both tails of a fair coin.
    assert p == pytest.approx(2 * binom.cdf(1, 9, 0.5))
    assert only_one_wrong(this, this) == (0, 0, None)


def test_errors_in_groups_are_compared_by_group() -> None:
    this = np.repeat([True, False], [5, 3])
    other = np.repeat([False, True, False], [5, 1, 2])
    member = np.array([0, 0, 1, 1, 3, 2, 3, 3])
    # The differences of the groups are 2, 2, -1 and 1.
    assert mcnemar_by_group(this, other, member) == pytest.approx(chi2.sf(16 / 10, 1))
    assert mcnemar_by_group(this, this, member) == 1


def test_p_value_of_groups_is_the_larger_one() -> None:
    this, other = np.array([True] * 8 + [False] * 4), np.zeros(12, dtype=bool)
    p = 2 * binom.cdf(0, 8, 0.5)
    assert compare_wrong(this, other) == Wrong(8, 0, pytest.approx(p))
    # Groups of one image are no groups.
    assert compare_wrong(this, other, torch.arange(12)) == Wrong(8, 0, pytest.approx(p))
    by_group = Wrong(8, 0, pytest.approx(chi2.sf(2, 1)), by_group=True)
    assert compare_wrong(this, other, torch.arange(12) // 4) == by_group
    assert compare_wrong(this, this, torch.arange(12) // 4) == Wrong(0, 0, None)

from __future__ import annotations

import numpy as np
import pytest

from borderline.findings import MEASURES, Measured
from borderline.measures.intervals import estimate_of_share
from borderline.pipelines.compare.sides import compare_measures, difference
from conftest import findings_of


def test_interval_of_symmetric_ones_adds_their_squares() -> None:
    apart = difference(
        Measured(value=0.5, low=0.47, high=0.53), Measured(value=0.3, low=0.26, high=0.34)
    )
    assert apart.value == pytest.approx(0.2)
    assert apart.low == pytest.approx(0.2 - 0.05)
    assert apart.high == pytest.approx(0.2 + 0.05)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    first, second, images, held = 0.9, 0.6, 60, 0
    for _ in range(400):
        hits = random.binomial(images, [first, second])
        ends = [Measured.of(estimate_of_share(int(h), images)) for h in hits]
        apart = difference(*ends)
        held += apart.low <= first - second <= apart.high
    # Within four standard errors of 95 %.
    assert abs(held / 400 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400)


def test_difference_without_an_end_has_no_interval() -> None:
    known, bare = Measured(value=0.5, low=0.4, high=0.6), Measured(value=0.3)
    assert difference(known, bare) == Measured(value=0.5 - 0.3)
    assert difference(known, Measured()) == Measured()


def test_all_measures_are_compared_and_differ_where_the_interval_excludes_0() -> None:
    this = findings_of(measures=dict.fromkeys(MEASURES, Measured(value=0.5, low=0.45, high=0.55)))
    figures = dict(this.measures)
    figures["yield"] = Measured(value=0.9, low=0.85, high=0.95)
    figures["ece"] = Measured(value=0.5)
    other = findings_of(measures=figures)
    table = compare_measures(this, other, same_judge=True).set_index("measure")
    assert list(table.index) == list(MEASURES)
    assert table.loc["yield", "differ"]
    assert table.loc["yield", "difference"] == pytest.approx(-0.4)
    assert not table.loc["acd", "differ"]
    assert table.loc["ece", "differ"] is None


@pytest.mark.parametrize(
    ("same_judge", "n", "compared"), [(True, 200, True), (True, 100, False), (False, 200, False)]
)
def test_frechet_distances_are_compared_at_one_n_and_by_one_judge(
    same_judge: bool, n: int, compared: bool
) -> None:
    figures = dict(findings_of().measures)
    figures["fd_lenet"] = Measured(value=90, low=80, high=100, n=n)
    table = compare_measures(findings_of(), findings_of(measures=figures), same_judge=same_judge)
    row = table.set_index("measure").loc["fd_lenet"]
    assert row["other"] == 90
    assert bool(row["difference"] == row["difference"]) == compared
    assert bool(row["differ"]) == compared

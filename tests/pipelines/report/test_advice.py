from __future__ import annotations

import pytest

from borderline.findings import Measured
from borderline.pipelines.report.advice import in_short, limits_of_method, limits_of_model
from conftest import findings_of


def with_measures(**measures: Measured) -> dict[str, Measured]:
    return {**findings_of().measures, **measures}


def test_summary_has_the_scores_and_the_largest_pattern() -> None:
    measures = with_measures(
        accuracy=Measured(value=0.98, low=0.95, high=0.99),
        borderline_test=Measured(value=0.015, n=200),
    )
    text = in_short("cnn_2", findings_of(measures=measures))
    for words in (
        "98.0 % [95.0 %, 99.0 %] of 200",
        "3 lie in its",
        "2 patterns",
        "60 %",
        "no evid",
    ):
        assert words in text
    assert "evidence against these" in in_short("a", findings_of(doubts=["one cloud"]))


@pytest.mark.parametrize("said", ["", "They are not found again with other generators."])
def test_summary_says_that_patterns_do_not_repeat(said: str) -> None:
    text = in_short("a", findings_of(reproducibility=said, doubts=[]))
    assert "The tests of stability, structure and chance found no evidence" in text
    assert ("not found again everywhere" in text) is bool(said)


def test_summary_has_sensitivity_and_specificity_at_another_threshold_than_one_half() -> None:
    measures = with_measures(sensitivity=Measured(value=0.95), specificity=Measured(value=0.4))
    text = in_short("a", findings_of(measures=measures, threshold=0.02))
    assert "threshold of 0.02 (sensitivity 95.0 %, specificity 40.0 %)" in text


def test_summary_says_why_there_are_no_patterns() -> None:
    assert "It has no patterns: only 3 of 30" in in_short("a", findings_of(0))


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (
            0.01,
            "Errors are more frequent there than elsewhere (p-value of Fisher's exact test: 0.010)",
        ),
        (0.2, "not significantly more frequent there"),
        (None, "Whether errors are more frequent there than elsewhere cannot be tested"),
    ],
)
def test_errors_gather_only_where_the_test_says_so(p: float | None, words: str) -> None:
    assert any(words in limit for limit in limits_of_model(findings_of(errors_near_p=p)))


def test_summary_separates_produced_images_from_clustered_ones() -> None:
    text = in_short("a", findings_of(noise=0.12))
    assert "produced 8,000 borderline images" in text
    assert "1,000 of them form 2 patterns" in text
    assert "12 % belong to no pattern" in text
    assert "They form 2 patterns" in in_short("a", findings_of(made=1000))


@pytest.mark.parametrize(
    ("temperature", "words"),
    [
        (2.0, "overconfident"),
        (0.5, "underconfident"),
        (1.0, "about right"),
        (None, "No temperature calibrates"),
    ],
)
def test_calibration_is_described_in_words(temperature: float | None, words: str) -> None:
    assert any(words in limit for limit in limits_of_model(findings_of(temperature=temperature)))


def test_limits_name_the_pattern_with_most_errors() -> None:
    limits = limits_of_model(findings_of())
    assert any("Pattern 1 has the most errors near it: 1 error in 10" in limit for limit in limits)
    assert not any("has the most errors" in limit for limit in limits_of_model(findings_of(1)))


@pytest.mark.parametrize(("count", "warned"), [(3, True), (50, False)])
def test_few_real_borderline_images_are_a_limit(count: int, warned: bool) -> None:
    measures = with_measures(borderline_test=Measured(value=count / 200, n=200))
    limits = limits_of_method(findings_of(measures=measures, doubts=["one cloud"]))
    assert any(f"Only {count} real test images" in limit for limit in limits) == warned
    assert "Evidence against the patterns: one cloud." in limits

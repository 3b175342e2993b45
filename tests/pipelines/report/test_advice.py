from __future__ import annotations

import pytest

from borderline.findings import Measured
from borderline.pipelines.report.advice import in_short, limits_of_method, limits_of_model
from conftest import findings_of


def with_figures(**figures: Measured) -> dict[str, Measured]:
    return {**findings_of().figures, **figures}


def test_short_version_has_the_figures_and_the_largest_pattern() -> None:
    figures = with_figures(
        accuracy=Measured(value=0.98, low=0.95, high=0.99),
        borderline_test=Measured(value=0.015, n=200),
    )
    said = in_short("cnn_2", findings_of(figures=figures))
    for words in ("98.0% [95.0%, 99.0%] of 200", "unsure of 3", "2 patterns", "60%", "Nothing in"):
        assert words in said
    assert "What speaks against" in in_short("a", findings_of(doubts=["one cloud"]))


def test_short_version_says_why_there_are_no_patterns() -> None:
    assert "No patterns were found: only 3 of 30" in in_short("a", findings_of(0))


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.01, "So errors gather there (Fisher's p = 0.010)"),
        (0.2, "not surely more frequent there"),
        (None, "not surely more frequent there"),
    ],
)
def test_errors_gather_only_where_the_test_says_so(p: float | None, words: str) -> None:
    assert any(words in said for said in limits_of_model(findings_of(errors_near_p=p)))


def test_short_version_tells_what_was_made_from_what_was_clustered() -> None:
    said = in_short("a", findings_of(noise=0.12))
    assert "made 8,000 images" in said
    assert "1,000 of them fall into 2 patterns" in said
    assert "12% fall into none" in said
    assert "They fall into" in in_short("a", findings_of(made=1000))


@pytest.mark.parametrize(
    ("temperature", "words"),
    [
        (2.0, "too sure of itself"),
        (0.5, "less sure than it could be"),
        (1.0, "about as sure as it should be"),
        (None, "No temperature could be found"),
    ],
)
def test_calibration_is_said_in_words(temperature: float | None, words: str) -> None:
    assert any(words in said for said in limits_of_model(findings_of(temperature=temperature)))


def test_limits_name_the_pattern_with_most_errors() -> None:
    said = limits_of_model(findings_of())
    assert any("Pattern 1 has most of them near it: 1 error in 10" in own for own in said)
    assert not any("has most of them" in own for own in limits_of_model(findings_of(1)))


@pytest.mark.parametrize(("count", "warned"), [(3, True), (50, False)])
def test_few_real_borderline_images_are_a_limit(count: int, warned: bool) -> None:
    figures = with_figures(borderline_test=Measured(value=count / 200, n=200))
    said = limits_of_method(findings_of(figures=figures, doubts=["one cloud"]))
    assert any(f"Only {count} real test images" in own for own in said) == warned
    assert "In doubt: one cloud." in said

from __future__ import annotations

from borderline.pages.boundaries import borderline_in_words, middle_of_scale, threshold_in_words
from conftest import findings_of


def test_one_boundary_of_all_models_is_one_sentence() -> None:
    findings = {"a": findings_of(), "b": findings_of()}
    assert middle_of_scale(findings) == "0.5: the boundary"
    text = borderline_in_words(findings).replace("\N{NO-BREAK SPACE}", " ")
    assert text == "An image is borderline when |p - 0.5| < 0.1."


def test_each_boundary_is_said_where_they_differ() -> None:
    rule = "sensitivity of at least 0.95 on 60 validation images of the positive class"
    other = findings_of(threshold=0.02, band=0.4, scale="logit", threshold_rule=rule)
    findings = {"a": findings_of(), "b": other}
    assert middle_of_scale(findings) == "the boundary"
    text = borderline_in_words(findings).replace("\N{NO-BREAK SPACE}", " ")
    assert "for a, when |p - 0.5| < 0.1; for b, when |logit p - logit 0.02| < 0.4." in text
    assert f"The threshold of b was chosen for a {rule}." in text
    assert threshold_in_words(other) == f"7 where p is above 0.02, chosen for a {rule}"

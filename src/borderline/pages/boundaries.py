"""Sentences about the decision boundaries of models, for pages and cards."""

from __future__ import annotations

from collections.abc import Mapping

from borderline.boundary import formula_of_band
from borderline.findings import Findings


def middle_of_scale(findings: Mapping[str, Findings]) -> str:
    """The text at the middle of the colours of p, where the boundaries of the models lie."""
    thresholds = {each.threshold for each in findings.values()}
    return f"{thresholds.pop():.3g}: the boundary" if len(thresholds) == 1 else "the boundary"


def have_own_boundaries(findings: Mapping[str, Findings]) -> bool:
    """Whether models have different thresholds, bands or scales."""
    return len({formula_of_band(each.boundary) for each in findings.values()}) > 1


def borderline_in_words(findings: Mapping[str, Findings]) -> str:
    """The definition of a borderline image, and the choice of thresholds that users did not set."""
    # Without line breaks inside of a formula.
    formulas = {
        name: formula_of_band(each.boundary).replace(" ", "\N{NO-BREAK SPACE}")
        for name, each in findings.items()
    }
    if not have_own_boundaries(findings):
        text = f"An image is borderline when {next(iter(formulas.values()))}."
    else:
        of_each = "; ".join(f"for {name}, when {formula}" for name, formula in formulas.items())
        text = f"The models have different boundaries. An image is borderline {of_each}."
    rules = (
        f"The threshold of {name} was chosen for a {each.threshold_rule}."
        for name, each in findings.items()
        if each.threshold_rule
    )
    return " ".join([text, *rules])


def threshold_in_words(findings: Findings) -> str:
    """The decision threshold of a model, for a list of its details."""
    rule = f", chosen for a {findings.threshold_rule}" if findings.threshold_rule else ""
    return f"{findings.positive} where p is above {findings.threshold:.4g}{rule}"

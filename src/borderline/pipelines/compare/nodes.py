"""The nodes of the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

    from borderline.params import Pairing, RunParams
    from borderline.pipelines.compare.params import CompareParams


def compare_models(*, pairing: Pairing, **sides: Any) -> tuple[DataFrame, dict[str, Any]]:
    """Compare the measures of both models, and their errors on the same real test images."""
    from borderline.pipelines.compare.sides import compare_errors, compare_measures, sides_of

    this, other = sides_of(pairing, sides)
    measures = compare_measures(this.findings, other.findings, same_judge=not pairing.elsewhere)
    return measures, compare_errors(this, other)


def carry_patterns_over(
    *, pairing: Pairing, compare: CompareParams, run: RunParams, **sides: Any
) -> DataFrame:
    """Decide which patterns of each model the other model shares, as in ``carry_over``."""
    from borderline.pipelines.compare.sides import sides_of
    from borderline.pipelines.compare.transfer import carry_both_over

    return carry_both_over(*sides_of(pairing, sides), compare.unsure, run.torch_device())


def write_comparison(
    compared_measures_table: DataFrame,
    compared_errors: dict[str, Any],
    compared_patterns_table: DataFrame,
    *,
    pairing: Pairing,
    compare: CompareParams,
    run: RunParams,
    **sides: Any,
) -> str:
    """Write the page of both models."""
    from borderline.pipelines.compare.page import render, section
    from borderline.pipelines.compare.sides import sides_of

    this, other = sides_of(pairing, sides)
    shown = compared_patterns_table, compare.members, run.torch_device()
    sections = [
        section(side, opposite, *shown, same_run=not pairing.elsewhere)
        for side, opposite in ((this, other), (other, this))
    ]
    findings = {side.name: side.findings for side in (this, other)}
    return render(findings, sections, compared_measures_table, compared_errors, compare.unsure)

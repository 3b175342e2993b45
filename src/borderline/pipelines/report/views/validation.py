"""The section about the validation: selections by measures, and the figures."""

from __future__ import annotations

from typing import Any

import pandas as pd

from borderline.findings import NONE, Findings, number_of, with_interval
from borderline.pages.pictures import of_file
from borderline.pipelines.report.page import View


def view_validation(validation: pd.DataFrame) -> View:
    """The table of all selections by all measures.

    Args:
        validation: A row a selection and measure.
    """
    measures = list(dict.fromkeys(validation["measure"]))
    rows = [
        {
            "name": str(name).replace("_", " "),
            "cells": [_cell(group.set_index("measure"), measure) for measure in measures],
        }
        for name, group in validation.groupby("chosen_by", sort=False)
    ]
    return {"measures": [measure.replace("_", " ") for measure in measures], "rows": rows}


def view_figures(
    findings: Findings, validation: bytes, faithfulness: bytes, rejection: bytes
) -> list[View]:
    """The figures of the validation with their texts, each a PNG."""
    return [
        of_file(
            validation,
            "All selections of prototypes by all measures with 95 % intervals, beside the range of "
            "random choices; the numbers are in the table.",
        ),
        of_file(
            faithfulness,
            "Mean p while pixels are deleted or inserted in the order of each attribution, beside "
            f"random orders. {' '.join(findings.attributions)}",
        ),
        of_file(
            rejection,
            "Risk-coverage curves of rules for abstaining on real test images. "
            f"{' '.join(findings.abstaining)}",
        ),
    ]


def _cell(rows: pd.DataFrame, measure: str) -> View:
    if measure not in rows.index:
        return {"value": NONE, "interval": "", "q": None}
    row: dict[str, Any] = {str(name): value for name, value in rows.loc[measure].items()}
    value, interval = with_interval("{:.3f}", row["value"], row["low"], row["high"])
    return {"value": value, "interval": interval, "q": number_of(row["q_value"])}

"""Checks of measures against their limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

    from borderline.findings import Findings, Measured
    from borderline.pipelines.gate.params import GateParams, Limit

COLUMNS = ("model", "figure", "value", "low", "high", "least", "most", "holds", "says")


def check(findings: Mapping[str, Findings], settings: GateParams) -> DataFrame:
    """Check all limits for all models.

    Args:
        findings: The findings by model.
        settings: The limits.

    Returns:
        A row a model and measure by ``COLUMNS``: whether the limit ``holds``, and a sentence. A
        measure that is missing breaks its limit.
    """
    import pandas as pd

    rows = []
    for model, of_model in findings.items():
        for name, limit in settings.limits.items():
            if limit is None:
                continue
            measured = of_model.figures[name]
            low, high = measured.value, measured.value
            if settings.judged_by == "interval" and measured.low is not None:
                low, high = measured.low, measured.high
            holds = (
                low is not None
                and high is not None
                and (limit.least is None or low >= limit.least)
                and (limit.most is None or high <= limit.most)
            )
            sentence = f"{model}: {_sentence(name, measured, limit)}"
            ends = (measured.value, measured.low, measured.high, limit.least, limit.most)
            rows.append((model, name, *ends, holds, sentence))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _sentence(name: str, measured: Measured, limit: Limit) -> str:
    from borderline.findings import FIGURES

    form = FIGURES[name].form
    ends = [
        (w, end)
        for w, end in (("at least", limit.least), ("at most", limit.most))
        if end is not None
    ]
    value = measured.value
    if value is None:
        text = "could not be measured"
    elif any(form.format(value) == form.format(end) != form.format(0) for _, end in ends):
        # Rounded, the value and the limit would look equal.
        form = "{:.6g}"
        text = f"is {form.format(value)}"
    else:
        text = f"is {measured.said(name)}"
    limits = " and ".join(f"{word} {form.format(end)}" for word, end in ends)
    return f"{FIGURES[name].title} {text}, and the limit is {limits}"


def verdict(table: DataFrame) -> str:
    """A sentence about the broken limits in a table of :func:`check`; empty where all hold."""
    broken = table[~table["holds"].astype(bool)]
    if len(broken) == 0:
        return ""
    return (
        f"The gate is closed, because {len(broken)} of {len(table)} limits do not hold "
        f"({'; '.join(broken['says'])}): read the report, or change gate.limits."
    )

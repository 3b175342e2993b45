"""Checks of measures against their limits."""

from __future__ import annotations

from collections.abc import Mapping

from pandas import DataFrame

from borderline.findings import MEASURES, Findings, Measured, written
from borderline.pipelines.gate.params import GateParams, Limit

COLUMNS = ["model", "figure", "value", "low", "high", "least", "most", "holds", "says"]


def check(findings: Mapping[str, Findings], settings: GateParams) -> DataFrame:
    """Check all limits for all models, a row a limit; a missing measure breaks its limit."""
    rows = []
    for model, of_model in findings.items():
        for name, limit in settings.limits.items():
            if limit is None:
                continue
            measured = of_model.measures[name]
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
    return DataFrame(rows, columns=COLUMNS)


def _sentence(name: str, measured: Measured, limit: Limit) -> str:
    form, value = MEASURES[name].form, measured.value
    words = {"at least": limit.least, "at most": limit.most}
    ends = {word: end for word, end in words.items() if end is not None}
    if value is None:
        text = "could not be measured"
    elif any(form.format(value) == form.format(end) != form.format(0) for end in ends.values()):
        # Rounded, the value and the limit would look equal.
        form = "{:.6g}"
        text = f"is {form.format(value)}"
    else:
        text = f"is {measured.text(name)}"
    limits = " and ".join(f"{word} {written(form, end)}" for word, end in ends.items())
    return f"{MEASURES[name].title} {text}, and the limit is {limits}"


def verdict(table: DataFrame) -> str:
    """A sentence about the broken limits in a table of :func:`check`; empty where all hold."""
    broken = table[~table["holds"].astype(bool)]
    if len(broken) == 0:
        return ""
    return (
        f"The gate is closed, because {len(broken)} of {len(table)} limits do not hold "
        f"({'; '.join(broken['says'])}): read the report, or change gate.limits."
    )

"""Checks of measures against their limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pandas import DataFrame

from borderline.findings import MEASURES, Findings, Measured, with_interval, written
from borderline.pipelines.gate.params import GateParams, Limit


class Row(NamedTuple):
    """A limit, and whether a model keeps to it; ``suite`` is empty for a limit of the findings."""

    model: str
    suite: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None
    holds: bool
    says: str


def check(
    findings: Mapping[str, Findings], settings: GateParams, suites: Iterable[Row] | None = None
) -> DataFrame:
    """Check all limits for all models, a row a limit; a missing measure breaks its limit.

    ``suites`` are the limits of suites; only with them has the table a column for their folders.
    """
    rows = []
    for model, of_model in findings.items():
        for name, limit in settings.limits.items():
            if limit is None:
                continue
            measured, described = of_model.measures[name], MEASURES[name]
            holds = is_within(measured, limit, settings.judged_by)
            says = f"{model}: {sentence(described.title, described.form, measured, limit)}"
            ends = (measured.value, measured.low, measured.high, limit.least, limit.most)
            rows.append(Row(model, "", name, *ends, holds, says))
    table = DataFrame([*rows, *(suites or ())], columns=list(Row._fields))
    return table.drop(columns="suite") if suites is None else table


def is_within(measured: Measured, limit: Limit, judged_by: str) -> bool:
    """Whether a measure, or its whole interval if it has one, is within a limit."""
    low, high = measured.value, measured.value
    if judged_by == "interval" and measured.low is not None:
        low, high = measured.low, measured.high
    return (
        low is not None
        and high is not None
        and (limit.least is None or low >= limit.least)
        and (limit.most is None or high <= limit.most)
    )


def sentence(title: str, form: str, measured: Measured, limit: Limit) -> str:
    """A measure and its limit in words."""
    value = measured.value
    words = {"at least": limit.least, "at most": limit.most}
    ends = {word: end for word, end in words.items() if end is not None}
    if value is None:
        text = "could not be measured"
    elif any(form.format(value) == form.format(end) != form.format(0) for end in ends.values()):
        # Rounded, the value and the limit would look equal.
        form = "{:.6g}"
        text = f"is {form.format(value)}"
    else:
        parts = with_interval(form, value, measured.low, measured.high)
        text = f"is {' '.join(filter(None, parts))}"
    limits = " and ".join(f"{word} {written(form, end)}" for word, end in ends.items())
    return f"{title} {text}, and the limit is {limits}"


def verdict(table: DataFrame) -> str:
    """A sentence about the broken limits in a table of :func:`check`; empty where all hold."""
    broken = table[~table["holds"].astype(bool)]
    if len(broken) == 0:
        return ""
    return (
        f"The gate is closed, because {len(broken)} of {len(table)} limits do not hold "
        f"({'; '.join(broken['says'])}): {_remedy(broken)}."
    )


def _remedy(broken: DataFrame) -> str:
    if "suite" not in broken or not (of_suites := broken["suite"] != "").any():
        return "read the report, or change gate.limits"
    if of_suites.all():
        return "read the patterns in README.md of the suite, or change gate.suite_limits"
    return "read the report and README.md of the suite, or change the limits of gate"

"""Whether figures keep to their limits."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from borderline.findings import FIGURES, Findings, Measured
from borderline.pipelines.gate.params import GateParams, Limit

COLUMNS = ("model", "figure", "value", "low", "high", "least", "most", "holds", "says")


def check(found: Mapping[str, Findings], settings: GateParams) -> pd.DataFrame:
    """Every limit for every model.

    Args:
        found: The findings by model.
        settings: The limits.

    Returns:
        A row a model and figure by ``COLUMNS``: whether it ``holds``, and what it ``says``. A
        figure that could not be had does not hold: nobody has seen that it does.
    """
    rows = []
    for model, findings in found.items():
        for name, limit in settings.limits.items():
            if limit is None:
                continue
            measured = findings.figures[name]
            low, high = measured.value, measured.value
            if settings.judged_by == "interval" and measured.low is not None:
                low, high = measured.low, measured.high
            holds = (
                low is not None
                and high is not None
                and (limit.least is None or low >= limit.least)
                and (limit.most is None or high <= limit.most)
            )
            says = f"{model}: {_say(name, measured, limit)}"
            ends = (measured.value, measured.low, measured.high, limit.least, limit.most)
            rows.append((model, name, *ends, holds, says))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _say(name: str, measured: Measured, limit: Limit) -> str:
    form, asked = FIGURES[name].form, (("at least", limit.least), ("at most", limit.most))
    ends = [(word, end) for word, end in asked if end is not None]
    value = measured.value
    if value is None:
        found = "could not be measured"
    elif any(form.format(value) == form.format(end) != form.format(0) for _, end in ends):
        # Rounded, the two would be the same.
        form = "{:.6g}"
        found = f"is {form.format(value)}"
    else:
        found = f"is {measured.said(name)}"
    limits = " and ".join(f"{word} {form.format(end)}" for word, end in ends)
    return f"{FIGURES[name].title} {found}, and the limit is {limits}"


def verdict(table: pd.DataFrame) -> str:
    """What does not hold, in a sentence; empty where everything does.

    Args:
        table: As ``check`` gives it.
    """
    broken = table[~table["holds"].astype(bool)]
    if len(broken) == 0:
        return ""
    return (
        f"The gate is closed, for {len(broken)} of {len(table)} limits do not hold "
        f"({'; '.join(broken['says'])}): look at the report, or change gate.limits."
    )

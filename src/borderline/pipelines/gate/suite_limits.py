"""Checks of the replay of suites against their limits."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd

from borderline.findings import Measured, written
from borderline.measures.intervals import Estimate
from borderline.pipelines.gate.limits import Row, is_within, sentence
from borderline.pipelines.gate.params import GateParams, Limit

LEVEL = 0.05
"""A model is significantly worse than the former one below this p-value of McNemar's test."""
_FORM = "{:z.1%}"


class _Measure(NamedTuple):
    """A measure of the replay: its images, its title, and the side on which it is worse."""

    verdict: str
    title: str
    end: str
    side: str


_MEASURES = {
    "weakness_accuracy": _Measure(
        "weakness", "accuracy on the {images:,} weakness images of {suite}", "least", "below"
    ),
    "ambiguous_confident": _Measure(
        "ambiguous",
        "share of the {images:,} ambiguous images of {suite} that the model is confident of",
        "most",
        "above",
    ),
}


def check_replays(replays: pd.DataFrame, gate: GateParams) -> list[Row]:
    """Check all limits of suites, a row a limit, from a table of ``replay.COLUMNS``.

    A limit does not apply to a suite without images of its kind, so it holds.
    """
    rows = []
    for _, replayed in replays.iterrows():
        measure, limits = _MEASURES[replayed["measure"]], gate.suite_limits.of(replayed["measure"])
        if (end := limits[measure.end]) is not None:
            limit = Limit.model_validate({measure.end: end})
            rows.append(_of_value(replayed, measure, limit, gate))
        if (allowed := limits[f"{measure.side}_former"]) is not None:
            rows.append(_of_former(replayed, measure, allowed, gate))
    return rows


def _of_value(replayed: pd.Series[Any], measure: _Measure, limit: Limit, gate: GateParams) -> Row:
    """The limit of a measure of the later model."""
    ends = (float(replayed[name]) for name in ("value", "low", "high"))
    measured = Measured.of(Estimate(*ends), replayed["images"])
    empty = _empty(replayed, measure)
    return Row(
        *(replayed["model"], replayed["suite"], f"suite_{replayed['measure']}"),
        *(measured.value, measured.low, measured.high, limit.least, limit.most),
        bool(empty) or is_within(measured, limit, gate.judged_by),
        f"{replayed['model']}: "
        f"{empty or sentence(_title(replayed, measure), _FORM, measured, limit)}",
    )


def _of_former(
    replayed: pd.Series[Any], measure: _Measure, allowed: float, gate: GateParams
) -> Row:
    """The limit of the difference to the former model; ``value`` is positive if it is worse."""
    value, former = float(replayed["value"]), float(replayed["former"])
    # Shares of few images, such as 0.9 and 0.8, differ by a little more than 0.1.
    worse = round(former - value if measure.side == "below" else value - former, 12)
    holds = math.isnan(worse) or worse <= allowed
    if gate.judged_by == "interval":
        holds = holds or replayed["p_value"] >= LEVEL
    says = _empty(replayed, measure) or _compared(replayed, measure, worse, allowed)
    return Row(
        *(
            replayed["model"],
            replayed["suite"],
            f"suite_{replayed['measure']}_{measure.side}_former",
        ),
        *(None if math.isnan(worse) else worse, None, None, None, allowed),
        bool(holds),
        f"{replayed['model']}: {says}",
    )


def _compared(replayed: pd.Series[Any], measure: _Measure, worse: float, allowed: float) -> str:
    form = "{:.1f}"
    if form.format(100 * worse) == form.format(100 * allowed) and worse != allowed:
        # Rounded, the difference and the limit would look equal.
        form = "{:.6g}"
    other = {"below": "above", "above": "below"}[measure.side]
    apart = f"{form.format(100 * abs(worse))} points {measure.side if worse > 0 else other}"
    p, many = replayed["p_value"], "s" if ", " in replayed["former_models"] else ""
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return (
        f"{_title(replayed, measure)} is {written(_FORM, replayed['value'])}, "
        f"{apart if worse else 'equal to'} the {written(_FORM, replayed['former'])} of the former "
        f"model{many} {replayed['former_models']} ({chance}, McNemar's exact test), and the limit "
        f"is {form.format(100 * allowed)} points {measure.side}"
    )


def _title(replayed: pd.Series[Any], measure: _Measure) -> str:
    return measure.title.format(images=replayed["images"], suite=replayed["suite"])


def _empty(replayed: pd.Series[Any], measure: _Measure) -> str:
    """The sentence about a suite without images for a measure; empty where it has some."""
    if replayed["images"]:
        return ""
    return f"{replayed['suite']} has no {measure.verdict} images, so this limit does not apply"

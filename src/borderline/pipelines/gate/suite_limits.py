"""Checks of the replay of suites against their limits."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from borderline.findings import Measured, written
from borderline.measures.intervals import Estimate
from borderline.pipelines.gate.limits import Row, is_within, sentence
from borderline.pipelines.gate.params import GateParams, Limit

LEVEL = 0.05
"""A model is significantly worse than the former one below this p-value of McNemar's test."""
_TITLES = {
    "weakness_accuracy": "accuracy on the {images} weakness images of {suite}",
    "ambiguous_confident": "share of the {images} ambiguous images of {suite} that the model is "
    "confident of",
}
_VERDICTS = {"weakness_accuracy": "weakness", "ambiguous_confident": "ambiguous"}
_FORM = "{:z.1%}"


def check_replays(replays: pd.DataFrame, gate: GateParams) -> list[Row]:
    """Check all limits of suites, a row a limit, from a table of ``replay.COLUMNS``.

    A limit does not apply to a suite without images of its kind, so it holds.
    """
    limits = gate.suite_limits
    weakness, ambiguous = limits.weakness_accuracy, limits.ambiguous_confident
    own = {
        "weakness_accuracy": weakness.least,
        "ambiguous_confident": ambiguous.most,
    }
    against = {
        "weakness_accuracy": ("below", weakness.below_former),
        "ambiguous_confident": ("above", ambiguous.above_former),
    }
    rows = []
    for _, replayed in replays.iterrows():
        figure, (side, allowed) = replayed["figure"], against[replayed["figure"]]
        if own[figure] is not None:
            end = "least" if side == "below" else "most"
            rows.append(_of_value(replayed, Limit.model_validate({end: own[figure]}), gate))
        if allowed is not None:
            rows.append(_of_former(replayed, side, allowed, gate))
    return rows


def _of_value(replayed: pd.Series[Any], limit: Limit, gate: GateParams) -> Row:
    """The limit of a figure of the later model."""
    ends = (float(replayed[name]) for name in ("value", "low", "high"))
    measured = Measured.of(Estimate(*ends), replayed["images"])
    empty = _empty(replayed)
    return Row(
        *(replayed["model"], replayed["suite"], f"suite_{replayed['figure']}"),
        *(measured.value, measured.low, measured.high, limit.least, limit.most),
        bool(empty) or is_within(measured, limit, gate.judged_by),
        f"{replayed['model']}: {empty or sentence(_title(replayed), _FORM, measured, limit)}",
    )


def _of_former(replayed: pd.Series[Any], side: str, allowed: float, gate: GateParams) -> Row:
    """The limit of the difference to the former model; ``value`` is positive if it is worse."""
    value, former = float(replayed["value"]), float(replayed["former"])
    # Shares of few images, such as 0.9 and 0.8, differ by a little more than 0.1.
    worse = round(former - value if side == "below" else value - former, 12)
    holds = math.isnan(worse) or worse <= allowed
    if gate.judged_by == "interval":
        holds = holds or replayed["p_value"] >= LEVEL
    says = _empty(replayed) or _compared(replayed, side, worse, allowed)
    return Row(
        *(replayed["model"], replayed["suite"], f"suite_{replayed['figure']}_{side}_former"),
        *(None if math.isnan(worse) else worse, None, None, None, allowed),
        bool(holds),
        f"{replayed['model']}: {says}",
    )


def _compared(replayed: pd.Series[Any], side: str, worse: float, allowed: float) -> str:
    form = "{:.1f}"
    if form.format(100 * worse) == form.format(100 * allowed) and worse != allowed:
        # Rounded, the difference and the limit would look equal.
        form = "{:.6g}"
    other = {"below": "above", "above": "below"}[side]
    many = "s" if "," in replayed["former_models"] else ""
    p = replayed["p_value"]
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return (
        f"{_title(replayed)} is {written(_FORM, replayed['value'])}, "
        f"{form.format(100 * abs(worse))} points {side if worse > 0 else other} the "
        f"{written(_FORM, replayed['former'])} of the former model{many} "
        f"{replayed['former_models']} ({chance}, McNemar's exact test), and the limit is "
        f"{form.format(100 * allowed)} points {side}"
    )


def _title(replayed: pd.Series[Any]) -> str:
    return _TITLES[replayed["figure"]].format(**replayed[["images", "suite"]])


def _empty(replayed: pd.Series[Any]) -> str:
    """The sentence about a suite without images for a figure; empty where it has some."""
    if replayed["images"]:
        return ""
    kind = _VERDICTS[replayed["figure"]]
    return f"{replayed['suite']} has no {kind} images, so this limit does not apply"

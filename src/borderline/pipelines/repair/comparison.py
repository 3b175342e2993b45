"""The comparison of the arms of a repair: paired over the seeds, with corrected p-values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, ttest_1samp
from torch import Tensor

from borderline.measures.intervals import Estimate, estimate_of_repeats
from borderline.measures.mcnemar import compare_wrong
from borderline.pipelines.repair.outcomes import AS_IS, Outcome, ScoredOn, majority_wrong, score
from borderline.pipelines.repair.params import AGAIN

LEVEL = 0.05
"""A difference is significant at this corrected p-value or below."""

MAIN = "error"
"""The main outcome; all other measures are secondary."""

CONTROLS = (AGAIN, "random")
"""The arms with which the others are compared."""

# Differences that vary less than this, relative to the largest value, differ by rounding only.
_ROUNDING = 1e-9


class Measure(NamedTuple):
    """A measure of the comparison.

    Attributes:
        title: Its name on pages.
        images: The column of the scores that counts its images.
        percent: Whether pages write it in percent.
        better: 1 where higher is better, -1 where lower is, 0 where neither is.
        of_patterns: Whether each pattern has one too.
    """

    title: str
    images: str
    percent: bool
    better: int
    of_patterns: bool = False


MEASURES: Mapping[str, Measure] = {
    "error": Measure("error", "test_images", True, -1),
    "accuracy": Measure("accuracy", "test_images", True, 1),
    "sensitivity": Measure("sensitivity", "test_images", True, 1),
    "specificity": Measure("specificity", "test_images", True, 1),
    "nll": Measure("negative log-likelihood", "test_images", False, -1),
    "ece": Measure("calibration error (ECE)", "test_images", False, -1),
    "borderline": Measure("share of borderline test images", "test_images", True, 0),
    "error_near": Measure("error near patterns", "near_images", True, -1, of_patterns=True),
    "fresh_balanced_accuracy": Measure(
        "balanced accuracy on fresh images", "fresh_images", True, 1
    ),
    "fresh_accuracy": Measure("accuracy on fresh images", "fresh_images", True, 1, True),
}

_OF_T = ("difference", "low", "high", "p", "corrected_p")
_OF_MCNEMAR = ("only_arm_wrong", "only_control_wrong", "mcnemar_p", "mcnemar_corrected_p")


def compare_arms(outcomes: list[Outcome], tested: ScoredOn) -> pd.DataFrame:
    """Compare all arms, by their scores on the same images.

    Args:
        outcomes: All trainings, with the same seeds in all arms, and the model as it is.
        tested: The images.

    Returns:
        A row an arm, measure and pattern (empty for all images), with the ``images`` of the
        measure. ``main`` marks the main outcome. ``mean``, ``low`` and ``high`` are over the
        ``seeds``, with Student's 95 % interval, cut to the range of the measure. For each of
        ``CONTROLS``, with its name before: the mean ``difference`` to it with its interval and
        ``p``, those of the paired t test over the seeds; and for the main outcome, of the majority
        of the trainings, the numbers of test images that only the arm and only the control gets
        wrong, with the p-value of McNemar's exact test (by group, where the test images have
        groups). Corrected p-values are those of Benjamini and Hochberg (1995) over all arms of a
        measure; the measures of patterns are corrected together. NaN where a value is not defined:
        differences that are equal in all seeds have no interval and no p, but count as p = 1 in
        the correction.
    """
    by_arm = score(outcomes, tested).groupby("arm", sort=False)
    scores = {str(arm): rows.set_index("seed") for arm, rows in by_arm}
    of_arms = {arm: [each for each in outcomes if each.arm == arm] for arm in scores}
    wrong = {arm: majority_wrong(some, tested.labels) for arm, some in of_arms.items()}
    rows = []
    for (name, measure), arm in itertools.product(MEASURES.items(), scores):
        for pattern in (None, *range(tested.patterns if measure.of_patterns else 0)):
            row = _row(scores, name, measure, arm, pattern)
            if name == MAIN:
                row |= _mcnemar(wrong, arm, tested.groups)
            rows.append(row)
    return _corrected(pd.DataFrame(rows)).astype({"pattern": "Int64"})


def _row(
    scores: Mapping[str, pd.DataFrame],
    name: str,
    measure: Measure,
    arm: str,
    pattern: int | None,
) -> dict[str, Any]:
    end = "" if pattern is None else f"_{pattern}"
    of_arm = scores[arm][f"{name}{end}"]
    images = int(scores[arm][f"{measure.images}{end}"].iloc[0])
    mean = _spread(of_arm).within(0, 1 if measure.percent else math.inf)
    row: dict[str, Any] = {"arm": arm, "measure": name, "main": name == MAIN, "pattern": pattern}
    row |= {"images": images, "seeds": 0 if arm == AS_IS else int(of_arm.notna().sum())}
    row |= dict(zip(("mean", "low", "high"), mean, strict=True))
    for control in CONTROLS:
        paired = (math.nan,) * 4
        if arm not in (AS_IS, AGAIN, control) and control in scores:
            paired = _paired(of_arm, scores[control][f"{name}{end}"])
        row |= {f"{control}_{key}": v for key, v in zip(_OF_T[:-1], paired, strict=True)}
        # The columns stand in their order; `_corrected` and `_mcnemar` fill them.
        row |= dict.fromkeys((f"{control}_{key}" for key in (_OF_T[-1], *_OF_MCNEMAR)), math.nan)
    return row


def _spread(values: pd.Series[Any]) -> Estimate:
    """The mean over the seeds; the interval is unknown where they do not vary."""
    mean = estimate_of_repeats(values.tolist())
    if _varies(values.dropna().to_numpy(dtype=float), float(values.abs().max())):
        return mean
    return Estimate(mean.value, math.nan, math.nan)


def _paired(
    of_arm: pd.Series[Any], of_control: pd.Series[Any]
) -> tuple[float, float, float, float]:
    """The mean difference, the ends of its interval, and the p-value of the paired t test."""
    # Both have the same seeds as their index.
    known = (of_arm - of_control).dropna().to_numpy(dtype=float)
    if len(known) == 0:
        return (math.nan,) * 4
    if not _varies(known, float(max(of_arm.abs().max(), of_control.abs().max()))):
        return float(known.mean()), math.nan, math.nan, math.nan
    test = ttest_1samp(known, 0)
    low, high = test.confidence_interval(0.95)
    return float(known.mean()), float(low), float(high), float(test.pvalue)


def _varies(values: np.ndarray, largest: float) -> bool:
    return len(values) > 1 and bool(np.ptp(values) > _ROUNDING * largest)


def _mcnemar(
    wrong: Mapping[str, np.ndarray | None], arm: str, groups: Tensor | None
) -> dict[str, float]:
    """McNemar's test of an arm against each control, by the majority of their trainings."""
    found: dict[str, float] = {}
    for control in CONTROLS:
        this, other = wrong[arm], wrong.get(control)
        if arm in (AS_IS, AGAIN, control) or this is None or other is None:
            continue
        compared = compare_wrong(this, other, groups)
        # Without an image that one of both alone gets wrong, nothing speaks for a difference.
        p = 1.0 if compared.p_value is None else compared.p_value
        values = (compared.only_this, compared.only_other, p)
        found |= {f"{control}_{k}": v for k, v in zip(_OF_MCNEMAR[:-1], values, strict=True)}
    return found


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Fill the corrected p-values, for each measure and control."""
    compared = ~table["arm"].isin((AS_IS, AGAIN))
    for control, test in itertools.product(CONTROLS, ("", "mcnemar_")):
        p, corrected = f"{control}_{test}p", f"{control}_{test}corrected_p"
        tested = table[compared & (table["arm"] != control)]
        for _, rows in tested.groupby(["measure", tested["pattern"].isna()]):
            known = rows[p].notna()
            values = false_discovery_control(rows[p].fillna(1))
            table.loc[rows.index[known], corrected] = values[known]
    return table

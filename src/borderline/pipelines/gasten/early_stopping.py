"""Early stopping, decided by the history alone, so that a resumed training decides the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

from borderline.pipelines.gasten.params import EarlyStoppingParams, SettledParams

History = Sequence[dict[str, float]]


def best_epoch(history: History, metric: str) -> int | None:
    """The first epoch at which a score is best; None where no row of the history has it.

    ``yield`` should be large, all other scores small.
    """
    sign = -1 if metric == "yield" else 1
    scores = [(sign * row.get(metric, math.nan), row["epoch"]) for row in history]
    scores = [score for score in scores if not math.isnan(score[0])]
    return int(min(scores)[1]) if scores else None


def counted(history: History, rule: EarlyStoppingParams) -> History:
    """The rows of a history that a rule reads.

    They exclude epoch 0 (the start of step 2), the epochs before another score has settled where
    the rule waits for it, and the epochs after the one at which the rule stops.
    """
    rows = [row for row in history if row["epoch"] > 0]
    first = 0
    if rule.once_settled is not None:
        settled = (n for n in range(len(rows)) if _stale(rows[: n + 1], rule.once_settled))
        first = next(settled, len(rows))
    for end in range(first, len(rows)):
        if _stale(rows[first : end + 1], rule):
            return rows[first : end + 1]
    return rows[first:]


def has_stopped(history: History, rule: EarlyStoppingParams | None) -> bool:
    """Whether a training should have ended by the end of its history; never without a rule."""
    if rule is None:
        return False
    rows = counted(history, rule)
    return bool(rows) and _stale(rows, rule)


def _stale(history: History, rule: EarlyStoppingParams | SettledParams) -> bool:
    best = best_epoch(history, rule.metric)
    return best is not None and history[-1]["epoch"] - best >= rule.patience

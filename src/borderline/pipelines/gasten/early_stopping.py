"""When a training has done its best, read from its history alone, so that a resumed one agrees."""

from __future__ import annotations

import math
from collections.abc import Sequence

from borderline.pipelines.gasten.params import EarlyStoppingParams, SettledParams

History = Sequence[dict[str, float]]
_TO_GROW = {"yield"}


def best_epoch(history: History, metric: str) -> int | None:
    """The epoch at which a figure is best.

    Args:
        history: One row an epoch, with a column ``epoch``.
        metric: A column; ``yield`` should be large, the others small.

    Returns:
        The first best epoch; None where no row has the figure.
    """
    sign = -1 if metric in _TO_GROW else 1
    rows = [(sign * row[metric], row["epoch"]) for row in history if _has(row, metric)]
    return int(min(rows)[1]) if rows else None


def counted(history: History, rule: EarlyStoppingParams) -> History:
    """The part of a history that counts: all of it, or from the epoch that settled on."""
    if rule.once_settled is None:
        return history
    for end in range(1, len(history) + 1):
        if _stale(history[:end], rule.once_settled):
            return history[end - 1 :]
    return []


def has_stopped(history: History, rule: EarlyStoppingParams | None) -> bool:
    """Whether a training should end after the last epoch of its history.

    Args:
        history: One row an epoch so far.
        rule: The figure and the patience; None never stops.
    """
    return rule is not None and _stale(counted(history, rule), rule)


def _stale(history: History, rule: EarlyStoppingParams | SettledParams) -> bool:
    best = best_epoch(history, rule.metric)
    return best is not None and history[-1]["epoch"] - best >= rule.patience


def _has(row: dict[str, float], metric: str) -> bool:
    return not math.isnan(row.get(metric, math.nan))

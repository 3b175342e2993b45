"""The choice of a training's checkpoint, and its early stopping.

The history alone decides, so that a resumed training decides the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name, latest
from borderline.errors import BorderlineError
from borderline.pipelines.gasten.gan_params import EarlyStoppingParams, GanParams, SettledParams
from borderline.pipelines.gasten.params import BEST, Start

History = Sequence[dict[str, float]]


def starting_checkpoint(
    checkpoints: Checkpoints, start: Start | tuple[Start, ...], gan: GanParams
) -> Checkpoint:
    """The checkpoint of step 1 that a generator starts from.

    Raises:
        BorderlineError: When that epoch has no checkpoint, or no epoch has the distance.
    """
    assert not isinstance(start, tuple), "the grid takes lists apart"
    if start == "last":
        return kept_checkpoint(checkpoints, gan.epochs, gan.early_stopping)
    if not isinstance(start, int):
        return _best_of_step_1(checkpoints, _latest(checkpoints, gan.epochs), start)
    if epoch_name(start) not in checkpoints:
        epochs = ", ".join(str(int(name[-4:])) for name in sorted(checkpoints))
        raise BorderlineError(
            f"start is {start}, but step 1 has no checkpoint of that epoch: choose one of "
            f"{epochs}, or 'best' or 'last'."
        )
    return checkpoints[epoch_name(start)]()


def _best_of_step_1(checkpoints: Checkpoints, last: Checkpoint, start: Start) -> Checkpoint:
    metric = BEST[start]
    if best_epoch(last["history"], metric) is None:
        raise BorderlineError(
            f"start is {start!r}, but the epochs of step 1 were not measured by {metric}: choose "
            "'last' or a number."
        )
    return _best(checkpoints, last, metric)


def kept_checkpoint(
    checkpoints: Checkpoints, epochs: int, early_stopping: EarlyStoppingParams | None
) -> Checkpoint:
    """The last checkpoint of a training, or the best by its rule of early stopping."""
    last = _latest(checkpoints, epochs)
    if early_stopping is None:
        return last
    epochs_counted = {row["epoch"] for row in counted(last["history"], early_stopping)}
    among = {name: load for name, load in checkpoints.items() if int(name[-4:]) in epochs_counted}
    return _best(among, last, early_stopping.metric)


def _latest(checkpoints: Checkpoints, epochs: int) -> Checkpoint:
    last = latest(checkpoints, epochs)
    assert last is not None, "a training yields at least one checkpoint"
    return last


def _best(among: Checkpoints, last: Checkpoint, metric: str) -> Checkpoint:
    rows = [row for row in last["history"] if epoch_name(int(row["epoch"])) in among]
    best = best_epoch(rows, metric)
    return last if best is None else among[epoch_name(best)]()


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

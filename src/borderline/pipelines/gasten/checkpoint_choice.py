"""The choice of a training's checkpoint."""

from __future__ import annotations

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name, latest
from borderline.errors import BorderlineError
from borderline.pipelines.gasten.early_stopping import best_epoch, counted
from borderline.pipelines.gasten.params import EarlyStoppingParams, GanParams, Start


def starting_checkpoint(
    checkpoints: Checkpoints, start: Start | tuple[Start, ...], gan: GanParams
) -> Checkpoint:
    """The checkpoint of step 1 that a generator starts from.

    Raises:
        BorderlineError: When that epoch has no checkpoint.
    """
    assert not isinstance(start, tuple), "the grid takes lists apart"
    if start == "last":
        return kept_checkpoint(checkpoints, gan.epochs, gan.early_stopping)
    if start == "best":
        return _best(checkpoints, _latest(checkpoints, gan.epochs), "fd_lenet")
    if epoch_name(start) not in checkpoints:
        epochs = ", ".join(str(int(name[-4:])) for name in sorted(checkpoints))
        raise BorderlineError(
            f"start is {start}, but step 1 has no checkpoint of that epoch: choose one of "
            f"{epochs}, or 'best' or 'last'."
        )
    return checkpoints[epoch_name(start)]()


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

from __future__ import annotations

import pytest

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name
from borderline.errors import BorderlineError
from borderline.pipelines.gasten.checkpoint_choice import kept_checkpoint, starting_checkpoint
from borderline.pipelines.gasten.gan_params import EarlyStoppingParams
from conftest import gan_params

FD = [9.0, 4.0, 3.0, 7.0, 6.0]
GAN = gan_params(epochs=5, latent_dim=2, batch_size=2)


def checkpoints(*epochs: int) -> Checkpoints:
    def load(epoch: int) -> Checkpoint:
        rows = [{"epoch": e, "fd_lenet": fd} for e, fd in enumerate(FD[:epoch], start=1)]
        return {"epoch": epoch, "settings": {}, "history": rows, "state": {}}

    return {epoch_name(epoch): lambda epoch=epoch: load(epoch) for epoch in epochs}


@pytest.mark.parametrize(
    ("there", "start", "epoch"),
    [
        ((1, 2, 3, 4, 5), "last", 5),
        ((1, 2, 3, 4, 5), "best", 3),
        ((1, 2, 3, 4, 5), 2, 2),
        ((2, 4, 5), "best", 2),
        ((1, 2, 3, 4, 5, 6), "last", 5),
    ],
)
def test_start_of_step_2(there: tuple[int, ...], start: str | int, epoch: int) -> None:
    assert starting_checkpoint(checkpoints(*there), start, GAN)["epoch"] == epoch


def test_start_without_a_checkpoint_is_one_sentence() -> None:
    with pytest.raises(BorderlineError, match=r"start is 3, .* choose one of 2, 4, 5, or 'best'"):
        starting_checkpoint(checkpoints(2, 4, 5), 3, GAN)


def test_training_keeps_its_last_epoch_or_the_best_of_its_early_stopping() -> None:
    there = checkpoints(1, 2, 3, 4, 5)
    assert kept_checkpoint(there, 5, None)["epoch"] == 5
    assert kept_checkpoint(there, 4, None)["epoch"] == 4
    rule = EarlyStoppingParams(metric="fd_lenet", patience=2)
    assert kept_checkpoint(there, 5, rule)["epoch"] == 3
    never = EarlyStoppingParams.model_validate(
        {"metric": "acd", "patience": 2, "once_settled": {"metric": "fd_lenet", "patience": 4}}
    )
    assert kept_checkpoint(there, 5, never)["epoch"] == 5


def test_best_start_needs_its_distance() -> None:
    with pytest.raises(BorderlineError, match=r"start is 'best_fid'.*not measured by fid"):
        starting_checkpoint(checkpoints(1, 2), "best_fid", GAN)

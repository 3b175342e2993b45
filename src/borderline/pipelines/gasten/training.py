"""A training that streams a checkpoint an epoch, and goes on from any of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, check_settings, latest
from borderline.params import Setting
from borderline.pipelines.gasten.checkpoint_choice import has_stopped
from borderline.pipelines.gasten.epoch import Steering, train_epoch
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.gan_params import EarlyStoppingParams
from borderline.pipelines.gasten.trainee import Trainee

Progress = tuple[list[dict[str, float]], Checkpoint | None]
"""The history with one row for each epoch so far, and the epoch's checkpoint: None between two
checkpoints, and after a divergence."""


def train(
    gan: Gan,
    images: Tensor,
    *,
    epochs: int,
    settings: dict[str, Setting],
    so_far: Checkpoints,
    measure: Callable[[nn.Module], dict[str, float]],
    steering: Steering | None = None,
    early_stopping: EarlyStoppingParams | None = None,
) -> Iterator[Progress]:
    """Train a GAN in place, as :func:`run_epochs` does.

    With a steering, the initial generator is measured and yielded as epoch 0, so that a training
    that diverges at once still has a good checkpoint.

    Args:
        gan: The GAN in its initial state.
        images: Real images in [-1, 1], shape (N, C, H, W), N at least 2.
    """
    images = images.to(gan.device)
    yield from run_epochs(
        gan,
        lambda epoch: train_epoch(gan, images, epoch, steering),
        epochs=epochs,
        settings=settings,
        so_far=so_far,
        measure=measure,
        early_stopping=early_stopping,
        from_start=steering is not None,
    )


def run_epochs(
    trainee: Trainee,
    train_once: Callable[[int], dict[str, float]],
    *,
    epochs: int,
    settings: dict[str, Setting],
    so_far: Checkpoints,
    measure: Callable[[nn.Module], dict[str, float]],
    early_stopping: EarlyStoppingParams | None = None,
    from_start: bool = False,
) -> Iterator[Progress]:
    """Train in place and yield the progress after each epoch.

    A stopped training goes on after its last checkpoint and ends with the same bits (on the CPU).
    It yields that checkpoint again first, so that a finished training still has output.

    A row of the history has ``seconds``, the losses of ``train_once`` and the scores of
    ``measure``. A loss or weight that is no longer finite ends the training with a row and no
    checkpoint.

    Args:
        trainee: The networks in their initial state.
        train_once: Trains them for an epoch (from 1); returns means of losses.
        settings: The fingerprint of the training.
        measure: Takes the generator after an epoch, returns further scores for the history.
        from_start: Whether the initial generator is measured too, as epoch 0.

    Raises:
        BorderlineError: When the checkpoints were made with other settings.
    """
    history: list[dict[str, float]] = []
    epoch = 0
    checkpoint = latest(so_far, epochs)
    if checkpoint is not None:
        check_settings(checkpoint, settings)
        trainee.load(checkpoint["state"])
        history, epoch = checkpoint["history"], checkpoint["epoch"]
        yield history, checkpoint
    elif from_start:
        history = [{"epoch": 0, "seconds": 0.0, **measure(trainee.generator.eval())}]
        yield history, _checkpoint(trainee, 0, settings, history)
    while epoch < epochs and not has_stopped(history, early_stopping):
        epoch += 1
        started = time.perf_counter()
        losses = train_once(epoch)
        row = {"epoch": epoch, "seconds": time.perf_counter() - started, **losses}
        if not (all(map(math.isfinite, losses.values())) and trainee.is_finite()):
            yield [*history, row], None
            return
        history = [*history, row | measure(trainee.generator.eval())]
        last = epoch == epochs or has_stopped(history, early_stopping)
        due = last or epoch % trainee.params.checkpoint_every == 0
        yield history, _checkpoint(trainee, epoch, settings, history) if due else None


def _checkpoint(
    trainee: Trainee, epoch: int, settings: dict[str, Setting], history: list[dict[str, float]]
) -> Checkpoint:
    return Checkpoint(epoch=epoch, settings=settings, history=history, state=trainee.state())

"""GAN training that streams a checkpoint an epoch, and goes on from any of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from torch import Tensor

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, check_settings, latest
from borderline.params import Setting
from borderline.pipelines.gasten.checkpoint_choice import has_stopped
from borderline.pipelines.gasten.epoch import Steering, train_epoch
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.networks import Generator
from borderline.pipelines.gasten.params import EarlyStoppingParams

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
    measure: Callable[[Generator], dict[str, float]],
    steering: Steering | None = None,
    early_stopping: EarlyStoppingParams | None = None,
) -> Iterator[Progress]:
    """Train a GAN in place and yield its progress after each epoch.

    A stopped training goes on after its last checkpoint and ends with the same bits (on the CPU).
    It yields that checkpoint again first, so that a finished training still has output. With a
    steering, the initial generator is measured and yielded as epoch 0, so that a training that
    diverges at once still has a good checkpoint.

    A row of the history has ``seconds``, the losses of :func:`train_epoch` and the scores of
    ``measure``. A loss or weight that is no longer finite ends the training with a row and no
    checkpoint.

    Args:
        gan: The GAN in its initial state.
        images: Real images in [-1, 1], shape (N, C, H, W), N at least 2.
        settings: The fingerprint of the training.
        measure: Takes the generator after an epoch, returns further scores for the history.

    Raises:
        BorderlineError: When the checkpoints were made with other settings.
    """
    images = images.to(gan.device)
    history: list[dict[str, float]] = []
    epoch = 0
    checkpoint = latest(so_far, epochs)
    if checkpoint is not None:
        check_settings(checkpoint, settings)
        gan.load(checkpoint["state"])
        history, epoch = checkpoint["history"], checkpoint["epoch"]
        yield history, checkpoint
    elif steering is not None:
        history = [{"epoch": 0, "seconds": 0.0, **measure(gan.generator.eval())}]
        yield history, _checkpoint(gan, 0, settings, history)
    while epoch < epochs and not has_stopped(history, early_stopping):
        epoch += 1
        started = time.perf_counter()
        losses = train_epoch(gan, images, epoch, steering)
        row = {"epoch": epoch, "seconds": time.perf_counter() - started, **losses}
        if not (all(map(math.isfinite, losses.values())) and gan.is_finite()):
            yield [*history, row], None
            return
        history = [*history, row | measure(gan.generator.eval())]
        last = epoch == epochs or has_stopped(history, early_stopping)
        due = last or epoch % gan.params.checkpoint_every == 0
        yield history, _checkpoint(gan, epoch, settings, history) if due else None


def _checkpoint(
    gan: Gan, epoch: int, settings: dict[str, Setting], history: list[dict[str, float]]
) -> Checkpoint:
    return Checkpoint(epoch=epoch, settings=settings, history=history, state=gan.state())

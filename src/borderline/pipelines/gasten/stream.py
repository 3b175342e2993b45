"""The output of the stage's long work, piece by piece: epochs of a training, parts of images."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, epoch_name
from borderline.measures.inference import in_batches, predict
from borderline.measures.plots import draw_image_grid
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.training import Progress
from borderline.records import Part
from borderline.sampling import Parts

Epoch = tuple[dict[str, Checkpoint], pd.DataFrame, dict[str, Figure]]
"""A checkpoint by name, the history so far, a grid of samples by name."""

_IMAGES_IN_A_GRID = 64


def stream_epochs(
    progress: Iterable[Progress],
    gan: Gan,
    test_noise: Tensor,
    classifier: nn.Module | None = None,
) -> Iterator[Epoch]:
    """The checkpoint, the history and a grid of samples after each epoch of a training."""
    for history, checkpoint in progress:
        row = history[-1]
        table = pd.DataFrame(history)
        if has_diverged(table):
            yield {}, table, {}
            continue
        name, epoch = epoch_name(int(row["epoch"])), int(row["epoch"])
        latents = test_noise[:_IMAGES_IN_A_GRID]
        samples = in_batches(gan.generator.eval(), latents, device=gan.device)
        if classifier is None:
            grid = draw_image_grid(samples, None, f"Step 1, epoch {epoch}: images of the plain GAN")
        else:
            title = f"Step 2, epoch {epoch}: yield {row['yield']:.1%}, ACD {row['acd']:.3f}"
            grid = draw_image_grid(samples, predict(classifier, samples, gan.device), title)
        yield {} if checkpoint is None else {name: checkpoint}, table, {name: grid}


def has_diverged(history: pd.DataFrame) -> bool:
    """Whether a history ends with an epoch whose losses were not finite: it has no scores."""
    return "images" not in history or bool(pd.isna(history["images"].iloc[-1]))


def stream_parts(
    parts: Parts, *, seconds: float = 0.0, note: str = ""
) -> Iterator[tuple[dict[str, Part], pd.DataFrame]]:
    """The parts of a generator's images by name, each with the outcome so far.

    Args:
        parts: The images.
        seconds: Duration of the work before them.
        note: A note about that work.

    Yields:
        A part, and a table with one row: ``images``, ``seconds``, ``note``.
    """
    images, number, started = 0, 0, time.perf_counter()

    def outcome(notes: list[str]) -> pd.DataFrame:
        spent = seconds + time.perf_counter() - started
        note = "; ".join(text for text in notes if text)
        return pd.DataFrame([{"images": images, "seconds": spent, "note": note}])

    while True:
        try:
            part = next(parts)
        except StopIteration as end:
            yield {}, outcome([note, end.value])
            return
        images += len(part["images"])
        yield {f"part_{number:05d}": part}, outcome([note])
        number += 1

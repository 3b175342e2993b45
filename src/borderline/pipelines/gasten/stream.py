"""The output of the stage's long work, piece by piece: epochs of a training, parts of images."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, epoch_name
from borderline.measures.inference import in_batches, predict
from borderline.measures.plots import draw_by_tenths, draw_image_grid
from borderline.pipelines.gasten.trainee import Trainee
from borderline.pipelines.gasten.training import Progress
from borderline.records import Part
from borderline.sampling import Evaluations, Parts

Epoch = tuple[dict[str, Checkpoint], pd.DataFrame, dict[str, Figure]]
"""A checkpoint by name, the history so far, grids of samples by name."""


def stream_epochs(
    progress: Iterable[Progress],
    trainee: Trainee,
    test_noise: Tensor,
    classifier: nn.Module | None = None,
    *,
    threshold: float = 0.5,
    by_tenths: bool = False,
    title: str = "Step 1, epoch {epoch}: images of the plain GAN",
) -> Iterator[Epoch]:
    """The checkpoint, the history and a grid of samples after each epoch of a training.

    With ``by_tenths`` and a model under test, a second grid shows the samples sorted by p.
    ``title`` is that of grids without a model under test.
    """
    for history, checkpoint in progress:
        row, table = history[-1], pd.DataFrame(history)
        if has_diverged(table):
            yield {}, table, {}
            continue
        epoch, latents = int(row["epoch"]), test_noise[: trainee.params.samples]
        name, p = epoch_name(epoch), None
        samples = in_batches(trainee.generator.eval(), latents, device=trainee.device)
        heading = title.format(epoch=epoch)
        if classifier is not None:
            p = predict(classifier, samples, trainee.device)
            heading = f"Step 2, epoch {epoch}: yield {row['yield']:.1%}, ACD {row['acd']:.3f}"
        grids = {name: draw_image_grid(samples, p, heading, threshold=threshold)}
        if by_tenths and p is not None:
            grids[f"{name}_sorted"] = draw_by_tenths(samples, p, heading, threshold)
        yield {name: checkpoint} if checkpoint else {}, table, grids


def has_diverged(history: pd.DataFrame) -> bool:
    """Whether a history ends with an epoch whose losses were not finite: it has no scores."""
    return "images" not in history or bool(pd.isna(history["images"].iloc[-1]))


def stream_parts(
    parts: Parts,
    *,
    seconds: float = 0.0,
    note: str = "",
    evaluations: Evaluations | None = None,
) -> Iterator[tuple[dict[str, Part], pd.DataFrame]]:
    """The parts of a generator's images by name, each with the outcome so far.

    ``seconds`` and ``note`` are the duration of the work before them and a note about it;
    ``evaluations`` counts the passes of the decoder. The outcome is a table with one row:
    ``images``, ``evaluations``, ``seconds``, ``note``.
    """
    passes = evaluations or Evaluations()
    images, number, started = 0, 0, time.perf_counter()

    def outcome(notes: list[str]) -> pd.DataFrame:
        spent = seconds + time.perf_counter() - started
        note = "; ".join(text for text in notes if text)
        counts = {"images": images, "evaluations": passes.count}
        return pd.DataFrame([{**counts, "seconds": spent, "note": note}])

    while True:
        try:
            part = next(parts)
        except StopIteration as end:
            yield {}, outcome([note, end.value])
            return
        images += len(part["images"])
        yield {f"part_{number:05d}": part}, outcome([note])
        number += 1

"""What the stage's long work hands over piece by piece: epochs of a training, parts of images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, epoch_name
from borderline.datasets.tensors import digest, digest_of_weights
from borderline.measures.confusion import average_confusion_distance, borderline_yield
from borderline.measures.inference import embed, in_batches, most_other_mass, other_mass, predict
from borderline.measures.plots import draw_image_grid
from borderline.measures.realism import Moments, frechet_distance
from borderline.params import ConfusionParams, Setting
from borderline.pipelines.gasten.params import EarlyStoppingParams
from borderline.pipelines.gasten.training import Gan, Progress
from borderline.sampling import Part, Parts

Epoch = tuple[dict[str, Checkpoint], pd.DataFrame, dict[str, Figure]]
"""A checkpoint by name, the history so far, a grid of samples by name."""

_IMAGES_IN_A_GRID = 64


def epoch_figures(
    test_noise: Tensor,
    judge: nn.Module,
    real_features: Tensor,
    device: torch.device,
    classifier: nn.Module | None = None,
    confusion: ConfusionParams | None = None,
) -> Callable[[nn.Module], dict[str, float]]:
    """A function that measures a generator on the fixed test noise.

    Args:
        test_noise: Latent vectors, shape (N, Z).
        judge: Its features measure realism.
        real_features: Its features of the real training images of the pair, shape (M, D).
        device: Where to compute.
        classifier: The model under test, in step 2.
        confusion: What counts as borderline, in step 2.

    Returns:
        A function of the generator that gives ``images`` N, ``fd_lenet`` and, in step 2, ``band``,
        ``yield`` and ``acd``. The last two are of the images within the pair, NaN where there are
        none; ``other_mass``, of a model of more classes, and realism are of all.
    """

    real = Moments.of(real_features)

    def measure(generator: nn.Module) -> dict[str, float]:
        images = in_batches(generator, test_noise, device=device)
        judged = Moments.of(embed(judge, images, device))
        figures = {"images": len(images), "fd_lenet": frechet_distance(judged, real)}
        if classifier is not None and confusion is not None:
            p = predict(classifier, images, device)
            most = most_other_mass(classifier)
            if most is not None:
                other = other_mass(classifier, images, device)
                p = p[other <= most]
                figures["other_mass"] = other.mean().item()
            figures |= {
                "band": confusion.band,
                "yield": borderline_yield(p, confusion.band),
                "acd": average_confusion_distance(p),
            }
        return figures

    return measure


def figures_settings(
    early_stopping: EarlyStoppingParams | None,
    judge: nn.Module,
    test_noise: Tensor,
    confusion: ConfusionParams | None = None,
) -> dict[str, Setting]:
    """What the figures of an epoch depend on, for the fingerprint of a training that they stop."""
    if early_stopping is None:
        return {}
    band = {} if confusion is None else confusion.fingerprint("confusion")
    digests = {"judge digest": digest_of_weights(judge), "test noise digest": digest(test_noise)}
    return {**digests, **band}


def stream_epochs(
    progress: Iterable[Progress],
    gan: Gan,
    test_noise: Tensor,
    classifier: nn.Module | None = None,
) -> Iterator[Epoch]:
    """What a training node yields: checkpoint, history and a grid of samples after each epoch."""
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
    """Whether a history ends with an epoch whose losses were not finite: it has no figures."""
    return "images" not in history or bool(pd.isna(history["images"].iloc[-1]))


def stream_parts(
    parts: Parts, *, seconds: float = 0.0, note: str = ""
) -> Iterator[tuple[dict[str, Part], pd.DataFrame]]:
    """What an image-making node yields: a part by name, and how the work stands.

    Args:
        parts: The images.
        seconds: What the work before them took.
        note: What is to be said of the work before them.

    Yields:
        A part, and a table with one row: ``images`` so far, ``seconds`` so far, ``note``.
    """
    images, number, started = 0, 0, time.perf_counter()

    def outcome(notes: list[str]) -> pd.DataFrame:
        spent = seconds + time.perf_counter() - started
        said = "; ".join(n for n in notes if n)
        return pd.DataFrame([{"images": images, "seconds": spent, "note": said}])

    while True:
        try:
            part = next(parts)
        except StopIteration as end:
            yield {}, outcome([note, end.value])
            return
        images += len(part["images"])
        yield {f"part_{number:05d}": part}, outcome([note])
        number += 1

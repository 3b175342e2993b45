"""Sets of images, generated and real, compared at an equal number of images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import pandas as pd
import torch
from torch import Tensor

from borderline.boundary import Boundary
from borderline.grid import Judge
from borderline.measures.confusion import is_borderline
from borderline.measures.diversity import DIVERSITY, judge_diversity, near_distance
from borderline.measures.intervals import Estimate, resample
from borderline.measures.realism import REALISM, Reference, judge_frechet, judge_realism
from borderline.params import RunParams
from borderline.pipelines.metrics.params import MetricsParams

REAL = "real images"
"""The source of the floor, beside the names of generators."""

COLUMNS = ("source", "images", "against", "judge", "measure", "n", "value", "low", "high", "note")

Features = Mapping[Judge, Tensor]
"""Features by judge, shape (N, D) each."""


class ImageSet(NamedTuple):
    """Images to judge.

    Attributes:
        source: The generator, or ``REAL``.
        real_rows: For real images, their rows in the reference, -1 for none, shape (N,).
    """

    source: str
    features: Features
    real_rows: Tensor | None = None

    def __len__(self) -> int:
        return len(next(iter(self.features.values())))

    def shuffled(self, random: torch.Generator) -> Self:
        """The same images in a random order, for sets that are sorted by class."""
        order = torch.randperm(len(self), generator=random)
        rows = None if self.real_rows is None else self.real_rows[order]
        return type(self)(self.source, {j: f[order] for j, f in self.features.items()}, rows)


class RealImages(NamedTuple):
    """The real images of the pair, as the judges and the model under test see them.

    Attributes:
        references: The training images, by judge.
        test: Features of the test images.
        p: The model's probabilities of the training images, shape (N,).
        test_p: The model's probabilities of the test images, shape (M,).
    """

    references: Mapping[Judge, Reference]
    test: Features
    p: Tensor
    test_p: Tensor

    def borderline(self, boundary: Boundary) -> ImageSet:
        """The borderline images among training and test images."""
        training, test = is_borderline(self.p, boundary), is_borderline(self.test_p, boundary)
        features = {
            judge: torch.cat([reference.features[training], self.test[judge][test]])
            for judge, reference in self.references.items()
        }
        rows = torch.cat([training.nonzero()[:, 0], torch.full((int(test.sum()),), -1)])
        return ImageSet(REAL, features, rows)


def measure_name(measure: str, judge: Judge) -> str:
    """The name of a measure with its judge; only Inception's are called FID and KID."""
    if judge == "inception" and measure in ("fd", "kd"):
        return {"fd": "fid", "kd": "kid"}[measure]
    return f"{measure}_{judge}"


def compare(
    real: RealImages,
    generated: Sequence[ImageSet],
    generated_borderline: Sequence[ImageSet],
    boundary: Boundary,
    metrics: MetricsParams,
    run: RunParams,
) -> pd.DataFrame:
    """Judge all generators at equal N, with the floor of the real images.

    There are three comparisons: all images with the real training images, where the real test
    images are the floor; borderline images with the real training images, where the real borderline
    images are the floor; and borderline images with the real borderline images.

    Returns:
        One row for each comparison, set, judge and measure, with ``COLUMNS``: ``n`` images,
        ``value`` with the ends of its 95 % interval, and a ``note`` where there is no value.
    """
    borderline = real.borderline(boundary)
    test = ImageSet(REAL, real.test).shuffled(run.generator("real test images"))
    floor = borderline.shuffled(run.generator("real borderline images"))
    rows = _compare("all", "real", [*generated, test], real.references, metrics, run)
    rows += _compare(
        "borderline", "real", [*generated_borderline, floor], real.references, metrics, run
    )
    about = ("borderline", "real borderline")
    if len(borderline) >= metrics.fewest_images:
        near = {j: Reference.of(f, metrics.neighbours) for j, f in borderline.features.items()}
        rows += _compare(*about, generated_borderline, near, metrics, run, diversity=False)
    else:
        note = _too_few(f"{len(borderline)} real borderline images", metrics)
        nothing = dict.fromkeys(REALISM, Estimate.none())
        for image_set, judge in itertools.product(generated_borderline, real.references):
            rows += _rows(image_set, *about, judge, nothing, 0, note)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _compare(
    images: str,
    against: str,
    sets: Sequence[ImageSet],
    references: Mapping[Judge, Reference],
    metrics: MetricsParams,
    run: RunParams,
    *,
    diversity: bool = True,
) -> list[dict[str, object]]:
    n = _equal_size(sets, metrics.fewest_images, metrics)
    weights = resample(n, metrics.resamples, run.seed_for("resamples", n))
    rows: list[dict[str, object]] = []
    for judge, reference in references.items():
        sample, near = None, None
        if diversity:
            random = run.generator("near-duplicates")
            order = torch.randperm(len(reference.features), generator=random)
            sample = reference.features[order[:n]]
            near = near_distance(sample)
        # Sets too small for a distance in many dimensions must not reduce N for the others.
        width = reference.features.shape[1]
        most = _equal_size(sets, max(metrics.fewest_images, width + 1), metrics)
        for image_set in sets:
            about = (image_set, images, against, judge)
            size = len(image_set)
            if size < metrics.fewest_images:
                names = REALISM if near is None else (*REALISM, *DIVERSITY)
                nothing = dict.fromkeys(names, Estimate.none())
                rows += _rows(*about, nothing, size, _too_few(f"{size} images", metrics))
                continue
            features, real_rows = image_set.features[judge], image_set.real_rows
            distance = judge_frechet(features[:most], reference)
            note = _why_no_distance(min(most, size), reference)
            rows += _rows(*about, {"fd": distance}, min(most, size), note)
            measures = judge_realism(
                features[:n],
                reference,
                metrics.neighbours,
                weights,
                None if real_rows is None else real_rows[:n],
            )
            if near is not None and sample is not None:
                measures |= judge_diversity(features[:n], near, len(sample))
            rows += _rows(*about, measures, n, "")
    return rows


def _equal_size(sets: Sequence[ImageSet], fewest: int, metrics: MetricsParams) -> int:
    """The number of images in the smallest set that has at least the fewest."""
    return min([*(len(s) for s in sets if len(s) >= fewest), metrics.sample_size])


def _rows(
    image_set: ImageSet,
    images: str,
    against: str,
    judge: Judge,
    measures: Mapping[str, Estimate],
    n: int,
    note: str,
) -> list[dict[str, object]]:
    return [
        {"source": image_set.source, "images": images, "against": against, "judge": judge}
        | {"measure": measure_name(measure, judge), "n": n}
        | estimate._asdict()
        | {"note": note if math.isnan(estimate.value) else ""}
        for measure, estimate in measures.items()
    ]


def _too_few(images: str, metrics: MetricsParams) -> str:
    return f"only {images}, and metrics.fewest_images is {metrics.fewest_images}"


def _why_no_distance(n: int, reference: Reference) -> str:
    m, d = reference.features.shape
    few = f"{n} images" if n <= d else f"{m} real images to compare with"
    return f"{few} are not more than the judge's {d} features"

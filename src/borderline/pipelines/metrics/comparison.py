"""Sets of images, generated and real, compared at an equal number of images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import pandas as pd
import torch
from torch import Tensor

from borderline.grid import Judge
from borderline.measures.confusion import is_borderline
from borderline.measures.diversity import DIVERSITY, judge_diversity, near_distance
from borderline.measures.intervals import Estimate, resample
from borderline.measures.realism import REALISM, Reference, judge_frechet, judge_realism
from borderline.params import RunParams
from borderline.pipelines.metrics.params import MetricsParams

REAL = "real images"
"""What the floor is called among the generators."""

COLUMNS = ("source", "images", "against", "judge", "measure", "n", "value", "low", "high", "note")

Features = Mapping[Judge, Tensor]
"""By judge, shape (N, D) each."""


class ImageSet(NamedTuple):
    """Images to judge.

    Attributes:
        source: The generator, or ``REAL``.
        features: Of the images.
        own_rows: For real images, their rows in the reference, -1 for none, shape (N,).
    """

    source: str
    features: Features
    own_rows: Tensor | None = None

    def __len__(self) -> int:
        return len(next(iter(self.features.values())))

    def shuffled(self, random: torch.Generator) -> Self:
        """The same in a random order, for sets that come sorted by class."""
        order = torch.randperm(len(self), generator=random)
        rows = None if self.own_rows is None else self.own_rows[order]
        return type(self)(self.source, {j: f[order] for j, f in self.features.items()}, rows)


class RealImages(NamedTuple):
    """The real images of the pair, as the judges and the model under test see them.

    Attributes:
        references: The training images, by judge.
        test: Features of the test images.
        p: The model's probabilities of the training images, shape (M,).
        test_p: Those of the test images, shape (T,).
    """

    references: Mapping[Judge, Reference]
    test: Features
    p: Tensor
    test_p: Tensor

    @property
    def training(self) -> Features:
        """Features of the training images."""
        return {judge: reference.features for judge, reference in self.references.items()}

    def borderline(self, band: float) -> ImageSet:
        """The borderline ones among training and test images."""
        training, test = is_borderline(self.p, band), is_borderline(self.test_p, band)
        features = {
            judge: torch.cat([features[training], self.test[judge][test]])
            for judge, features in self.training.items()
        }
        rows = torch.cat([training.nonzero()[:, 0], torch.full((int(test.sum()),), -1)])
        return ImageSet(REAL, features, rows)


class Comparison(NamedTuple):
    """What is held against what.

    Attributes:
        images: What the sets are: ``all`` or ``borderline``.
        against: What the references are: ``real`` training images, or ``real borderline`` ones.
        sets: The sets; all are cut to the number of the smallest that has enough images.
        references: The real images, by judge.
        spread: Real images that say how near is near-duplicate; none leave diversity out.
    """

    images: str
    against: str
    sets: Sequence[ImageSet]
    references: Mapping[Judge, Reference]
    spread: Features


def measure_name(measure: str, judge: Judge) -> str:
    """What a measure is called in a judge's features: only Inception's are the FID and the KID."""
    if judge == "inception" and measure in ("fd", "kd"):
        return {"fd": "fid", "kd": "kid"}[measure]
    return f"{measure}_{judge}"


def compare(
    real: RealImages,
    generated: Sequence[ImageSet],
    generated_borderline: Sequence[ImageSet],
    band: float,
    metrics: MetricsParams,
    run: RunParams,
) -> pd.DataFrame:
    """Judge all generators at equal N, with the floor of the real images.

    Three comparisons: all images with the real training images, the real test images being the
    floor; the borderline ones with the same, the real borderline images being the floor; and the
    borderline ones with these, which are themselves unlike the rest.

    Args:
        real: The real images.
        generated: Each generator's images.
        generated_borderline: The borderline ones among each generator's.
        band: Half the width of the borderline band.
        metrics: Sizes, neighbours and resamples.
        run: Its seed.

    Returns:
        One row for each comparison, set, judge and measure, with ``COLUMNS``: ``n`` images,
        ``value`` with the ends of its 95 % interval, and a ``note`` where there is no value.
    """
    borderline = real.borderline(band)
    test = ImageSet(REAL, real.test).shuffled(run.generator("real test images"))
    floor = borderline.shuffled(run.generator("real borderline images"))
    comparisons = [
        Comparison("all", "real", [*generated, test], real.references, real.training),
        Comparison(
            "borderline", "real", [*generated_borderline, floor], real.references, real.training
        ),
    ]
    against = "real borderline"
    if len(borderline) >= metrics.fewest_images:
        near = {j: Reference.of(f, metrics.neighbours) for j, f in borderline.features.items()}
        comparisons.append(Comparison("borderline", against, generated_borderline, near, {}))
    rows = [row for c in comparisons for row in _compare(c, metrics, run)]
    if len(borderline) < metrics.fewest_images:
        note = _too_few(f"{len(borderline)} real borderline images", metrics)
        nothing = dict.fromkeys(REALISM, Estimate.none())
        for s, judge in itertools.product(generated_borderline, real.references):
            rows += _rows(s, "borderline", against, judge, nothing, 0, note)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _compare(
    comparison: Comparison, metrics: MetricsParams, run: RunParams
) -> list[dict[str, object]]:
    images, against, sets, references, spread = comparison
    n = _equal_size(sets, metrics.fewest_images, metrics)
    weights = resample(n, metrics.resamples, run.seed_for("resamples", n))
    rows: list[dict[str, object]] = []
    for judge, reference in references.items():
        some, near = None, None
        if judge in spread:
            random = run.generator("near-duplicates")
            some = spread[judge][torch.randperm(len(spread[judge]), generator=random)[:n]]
            near = near_distance(some)
        # Sets too small for a distance in many dimensions must not take it from the others.
        width = reference.features.shape[1]
        most = _equal_size(sets, max(metrics.fewest_images, width + 1), metrics)
        for s in sets:
            about = (s, images, against, judge)
            if len(s) < metrics.fewest_images:
                measures = REALISM if near is None else (*REALISM, *DIVERSITY)
                found = dict.fromkeys(measures, Estimate.none())
                rows += _rows(*about, found, len(s), _too_few(f"{len(s)} images", metrics))
                continue
            features, own_rows = s.features[judge], s.own_rows
            distance = judge_frechet(features[:most], reference)
            note = _why_no_distance(min(most, len(s)), reference)
            rows += _rows(*about, {"fd": distance}, min(most, len(s)), note)
            found = judge_realism(
                features[:n],
                reference,
                metrics.neighbours,
                weights,
                None if own_rows is None else own_rows[:n],
            )
            if near is not None and some is not None:
                found |= judge_diversity(features[:n], near, len(some))
            rows += _rows(*about, found, n, "")
    return rows


def _equal_size(sets: Sequence[ImageSet], fewest: int, metrics: MetricsParams) -> int:
    """The number of images that all sets with enough of them have."""
    return min([*(len(s) for s in sets if len(s) >= fewest), metrics.sample_size])


def _rows(
    image_set: ImageSet,
    images: str,
    against: str,
    judge: Judge,
    found: Mapping[str, Estimate],
    n: int,
    note: str,
) -> list[dict[str, object]]:
    return [
        {"source": image_set.source, "images": images, "against": against, "judge": judge}
        | {"measure": measure_name(measure, judge), "n": n}
        | estimate._asdict()
        | {"note": note if math.isnan(estimate.value) else ""}
        for measure, estimate in found.items()
    ]


def _too_few(what: str, metrics: MetricsParams) -> str:
    return f"only {what}, and metrics.fewest_images is {metrics.fewest_images}"


def _why_no_distance(n: int, reference: Reference) -> str:
    m, d = reference.features.shape
    few = f"{n} images" if n <= d else f"{m} real images to compare with"
    return f"{few} are not more than the judge's {d} features"

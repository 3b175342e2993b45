"""The Pareto front of Fréchet distance and ACD, and its knee."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from torch import Tensor

from borderline.measures.realism import RealStatistics
from borderline.pipelines.metrics.params import MetricsParams


def pareto_front(fd: np.ndarray, acd: np.ndarray) -> np.ndarray:
    """A boolean array (n,) of the points that no other point beats; False where a score is NaN.

    One point beats another if one score is better (lower) and the other is not worse.
    """
    points = np.column_stack([fd, acd])
    not_worse = (points[:, None] <= points).all(axis=2)
    better = (points[:, None] < points).any(axis=2)
    beaten = (not_worse & better).any(axis=0)
    on_front: np.ndarray = ~beaten & ~np.isnan(points).any(axis=1)
    return on_front


def knee(fd: np.ndarray, acd: np.ndarray) -> int | None:
    """The index of the knee of the front, which gives up least of both scores; None for no front.

    With both scores scaled to [0, 1] over the front, the knee is the point farthest below the line
    between the ends of the front (Das 1999). Where no point lies below that line, it is the end
    with the lower ACD.
    """
    front = np.flatnonzero(pareto_front(fd, acd))
    if len(front) == 0:
        return None
    front = front[np.argsort(acd[front], kind="stable")]
    bulge = 1 - _scaled(fd[front]) - _scaled(acd[front])
    # Rounding must not decide between the ends, whose bulge is 0.
    return int(front[np.argmax(np.round(bulge, 12))])


def front_of(
    epochs: pd.DataFrame,
    generators: pd.DataFrame,
    samples: Mapping[str, Tensor],
    real: Tensor | RealStatistics,
    metrics: MetricsParams,
    candidates: Collection[str] | None = None,
) -> pd.DataFrame:
    """The points of all epochs and finished generators, with the front and the knee marked.

    A baseline is neither on the front nor its knee, unless all generators are baselines.

    All distances are measured at one number of images: that of the epochs, or by ``metrics`` where
    nothing was trained.

    Args:
        epochs: One row for each epoch of each training.
        generators: One row for each finished generator, with ``source`` and ``acd``.
        candidates: The generators that a rule may choose, by source; None for all.
        samples: The features of each generator's images, by source, for the judge of
            ``metrics.front``.
        real: Its features of the real training images, shape (N, D), or their statistics.

    Returns:
        One row for each point: ``source``, ``epoch`` (NaN for a finished generator), ``n``,
        the distance (NaN where there are fewer images), ``acd``, ``on_front`` and ``knee``.
    """
    distance = metrics.front
    steered = epochs[epochs[distance].notna() & epochs["acd"].notna()]
    sizes = {source: len(sample) for source, sample in samples.items()}
    enough = [size for size in sizes.values() if size >= metrics.fewest_images]
    n = int(steered["images"].max()) if len(steered) else min([*enough, metrics.sample_size])
    statistics = real if isinstance(real, RealStatistics) else RealStatistics.of(real)
    finished = [
        {
            "source": source,
            "n": min(n, sizes[source]),
            "acd": acd,
            distance: statistics.distance(samples[source][:n]) if sizes[source] >= n else math.nan,
        }
        for source, acd in zip(generators["source"], generators["acd"], strict=True)
    ]
    trained = steered.rename(columns={"images": "n"})
    points = pd.concat([trained, pd.DataFrame(finished)], ignore_index=True)
    points = points.reindex(columns=["source", "epoch", "n", distance, "acd"])
    fd, acd = (points[name].to_numpy(dtype=float) for name in (distance, "acd"))
    if candidates is not None:
        left_out = points["source"].isin([n for n in generators["source"] if n not in candidates])
        fd = np.where(left_out, np.nan, fd)
    return points.assign(on_front=pareto_front(fd, acd), knee=points.index == knee(fd, acd))


def _scaled(values: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (values - values.min()) / (np.ptp(values) or 1.0)
    return scaled

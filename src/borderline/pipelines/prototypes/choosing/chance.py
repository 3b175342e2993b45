"""Random choices of prototypes: the null hypotheses of the validation, and their p-values.

The measures of random choices are a table with one row a draw and one column a measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from borderline.measures.intervals import Estimate
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.matching import stability_of_draws
from borderline.pipelines.prototypes.choosing.measures import Audience, measure
from borderline.pipelines.prototypes.choosing.names import BETTER
from borderline.pipelines.prototypes.choosing.of_clusters import (
    members,
    random_members,
    select_of_clusters,
)

_VALUES = 2**19


def known_values(draws: pd.DataFrame, name: str) -> np.ndarray:
    """The values of a measure where it is defined."""
    values = draws[name].to_numpy(dtype=float) if name in draws else np.zeros(0)
    return np.asarray(values[~np.isnan(values)])


def estimate_of_draws(draws: pd.DataFrame, name: str) -> Estimate:
    """The mean of a measure, and the range of 95 % of the draws; NaN for none."""
    known = known_values(draws, name)
    if len(known) == 0:
        return Estimate.none()
    low, high = np.quantile(known, [0.025, 0.975])
    return Estimate(float(known.mean()), float(low), float(high))


def p_value(draws: pd.DataFrame, name: str, value: float, *, worse: bool = False) -> float:
    """The share of draws, including the value, that are at least as good; NaN for none.

    The Monte Carlo permutation test (Phipson and Smyth 2010). Null hypothesis: the images were
    chosen at random, so that any other choice is as likely. With ``worse``, the draws that are at
    least as bad count instead.
    """
    known = known_values(draws, name)
    if len(known) == 0 or math.isnan(value):
        return math.nan
    # Equal values may differ by rounding, and count on either side.
    slack = 1e-12 * max(abs(value), 1.0)
    upper = (BETTER[name] == "higher") != worse
    reached = known >= value - slack if upper else known <= value + slack
    return float((1 + reached.sum()) / (1 + len(known)))


def draws_of_images(
    audience: Audience, repeats: Sequence[Candidates], draws: int, run: RunParams
) -> pd.DataFrame:
    """Random images, as many as clusters, of the audience and of each repeat."""
    random = np.random.default_rng(run.seed_for("random images"))
    sides = [audience.candidates, *repeats]
    sizes = [(len(side), min(len(side.clusters), len(side))) for side in sides]
    rows = [[random.choice(*size, replace=False) for size in sizes] for _ in range(draws)]
    return _measured(audience, repeats, [np.array(column) for column in zip(*rows, strict=True)])


def draws_of_clusters(
    audience: Audience, repeats: Sequence[Candidates], draws: int, run: RunParams
) -> pd.DataFrame:
    """A random image of each cluster, in the audience and in each repeat."""
    seeds = [run.seed_for("random members", draw) for draw in range(draws)]
    groups = [members(side.labels, side.clusters) for side in (audience.candidates, *repeats)]
    rows = [np.array([random_members(group, seed) for seed in seeds]) for group in groups]
    return _measured(audience, repeats, rows)


def shuffled_labels(
    audience: Audience, repeats: Sequence[Candidates], draws: int, run: RunParams
) -> list[np.ndarray]:
    """Shuffled labels (draws, n) of the audience and of each repeat."""
    random = np.random.default_rng(run.seed_for("shuffled labels"))
    sides = [audience.candidates, *repeats]
    shuffles = [[random.permutation(side.labels) for side in sides] for _ in range(draws)]
    return [np.array(column) for column in zip(*shuffles, strict=True)]


def draws_of_labels(
    audience: Audience,
    repeats: Sequence[Candidates],
    selection: str,
    shuffles: Sequence[np.ndarray],
    run: RunParams,
) -> pd.DataFrame:
    """The choice of a selection from shuffled labels, in the audience and in each repeat."""
    seed = run.seed_for("selection", selection)
    rows = [
        select_of_clusters(selection, side, labels, seed)
        for side, labels in zip((audience.candidates, *repeats), shuffles, strict=True)
    ]
    return _measured(audience, repeats, rows, shuffles[0])


def _measured(
    audience: Audience,
    repeats: Sequence[Candidates],
    rows: Sequence[np.ndarray],
    labels: np.ndarray | None = None,
) -> pd.DataFrame:
    """The measures of draws.

    Args:
        audience: The images that the draws represent.
        repeats: The images that the partners come from.
        rows: The chosen rows of the audience (draws, K), and those of each repeat (draws, L).
        labels: Other clusters of the audience, (draws, n).
    """
    tables = []
    for block in blocks(len(rows[0]), rows[0].shape[1] * len(audience.candidates)):
        clusters = labels if labels is None else labels[block]
        chosen = audience.chosen(rows[0][block], clusters)
        partners = [
            repeat.embeddings[others[block]]
            for repeat, others in zip(repeats, rows[1:], strict=True)
        ]
        values = measure(chosen, audience, clusters)
        values["stability"] = stability_of_draws(chosen.embeddings, partners)
        tables.append(pd.DataFrame(values))
    return pd.concat(tables, ignore_index=True)


def blocks(draws: int, size: int) -> list[slice]:
    """Slices of draws, for arrays that stay small; a draw has ``size`` values."""
    step = max(_VALUES // max(size, 1), 1)
    return [slice(start, start + step) for start in range(0, draws, step)]

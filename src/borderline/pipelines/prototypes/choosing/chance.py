"""Random choices of prototypes: the null hypotheses of the validation, and their p-values.

The measures of random choices are a table with one row a draw and one column a measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from borderline.measures.intervals import Estimate
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.matching import stability
from borderline.pipelines.prototypes.choosing.measures import Audience, measure
from borderline.pipelines.prototypes.choosing.names import BETTER
from borderline.pipelines.prototypes.choosing.selection import Way, select


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

    def choose(candidates: Candidates) -> np.ndarray:
        count = min(len(candidates.clusters), len(candidates))
        return random.choice(len(candidates), count, replace=False)

    return pd.DataFrame([_measured(audience, repeats, choose) for _ in range(draws)])


def draws_of_clusters(
    audience: Audience, repeats: Sequence[Candidates], draws: int, run: RunParams
) -> pd.DataFrame:
    """A random image of each cluster, in the audience and in each repeat."""
    seeds = [run.seed_for("random members", draw) for draw in range(draws)]
    ways = [partial(select, "random", seed=seed) for seed in seeds]
    return pd.DataFrame([_measured(audience, repeats, way) for way in ways])


def draws_of_labels(
    audience: Audience, repeats: Sequence[Candidates], way: Way, draws: int, run: RunParams
) -> pd.DataFrame:
    """The choice of a selection from shuffled labels, in the audience and in each repeat."""
    # Caches the distances, which every shuffle keeps.
    way(audience.candidates)
    random = np.random.default_rng(run.seed_for("shuffled labels"))
    rows = []
    for _ in range(draws):
        shuffled = audience.relabelled(random.permutation(audience.candidates.labels))
        others = [repeat.relabelled(random.permutation(repeat.labels)) for repeat in repeats]
        rows.append(_measured(shuffled, others, way))
    return pd.DataFrame(rows)


def _measured(audience: Audience, repeats: Sequence[Candidates], way: Way) -> dict[str, float]:
    chosen = audience.chosen(way(audience.candidates))
    partners = [repeat.embeddings[way(repeat)] for repeat in repeats]
    return {
        **measure(chosen, audience),
        "stability": stability(chosen.embeddings, partners).value,
    }

"""Random choices of prototypes: the null hypotheses of the validation, and their p-values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from borderline.measures.intervals import Estimate
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.matching import stability
from borderline.pipelines.prototypes.choosing.measures import Audience, measure
from borderline.pipelines.prototypes.choosing.names import BETTER
from borderline.pipelines.prototypes.choosing.selection import Way, select


@dataclass
class Draws:
    """The measures of random choices.

    Attributes:
        values: By measure, shape (draws,) each.
    """

    values: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, float]]) -> Draws:
        """The measures from one row a draw."""
        table = pd.DataFrame(list(rows))
        return cls({str(name): table[name].to_numpy(dtype=float) for name in table})

    def estimate(self, name: str) -> Estimate:
        """The mean, and the range of 95 % of the draws; NaN for none."""
        known = self.known(name)
        if len(known) == 0:
            return Estimate.none()
        low, high = np.quantile(known, [0.025, 0.975])
        return Estimate(float(known.mean()), float(low), float(high))

    def p_value(self, name: str, value: float, *, worse: bool = False) -> float:
        """The share of draws, including the value, that are at least as good; NaN for none.

        The Monte Carlo permutation test (Phipson and Smyth 2010). Null hypothesis: the images were
        chosen at random, so that any other choice is as likely.

        Args:
            name: The measure.
            value: Its value for the prototypes.
            worse: Count the draws that are at least as bad instead.
        """
        known = self.known(name)
        if len(known) == 0 or math.isnan(value):
            return math.nan
        # Equal values may differ by rounding, and count on either side.
        slack = 1e-12 * max(abs(value), 1.0)
        upper = (BETTER[name] == "higher") != worse
        reached = known >= value - slack if upper else known <= value + slack
        return float((1 + reached.sum()) / (1 + len(known)))

    def known(self, name: str) -> np.ndarray:
        """The values of a measure where it is defined."""
        values = self.values.get(name, np.zeros(0))
        return np.asarray(values[~np.isnan(values)])


def draws_of_images(
    audience: Audience, repeats: Sequence[Candidates], draws: int, run: RunParams
) -> Draws:
    """Random images, as many as clusters, of the audience and of each repeat."""
    random = np.random.default_rng(run.seed_for("random images"))

    def choose(candidates: Candidates) -> np.ndarray:
        count = min(len(candidates.clusters), len(candidates))
        return random.choice(len(candidates), count, replace=False)

    return Draws.of(_measured(audience, repeats, choose) for _ in range(draws))


def draws_of_clusters(
    audience: Audience, repeats: Sequence[Candidates], draws: int, run: RunParams
) -> Draws:
    """A random image of each cluster, in the audience and in each repeat."""

    def members(draw: int) -> Way:
        seed = run.seed_for("random members", draw)
        return lambda candidates: select("random", candidates, seed)

    return Draws.of(_measured(audience, repeats, members(draw)) for draw in range(draws))


def draws_of_labels(
    audience: Audience, repeats: Sequence[Candidates], way: Way, draws: int, run: RunParams
) -> Draws:
    """The choice of a selection from shuffled labels, in the audience and in each repeat."""
    # Caches the distances, which every shuffle keeps.
    way(audience.candidates)
    random = np.random.default_rng(run.seed_for("shuffled labels"))

    def draw() -> dict[str, float]:
        shuffled = audience.relabelled(random.permutation(audience.candidates.labels))
        others = [repeat.relabelled(random.permutation(repeat.labels)) for repeat in repeats]
        return _measured(shuffled, others, way)

    return Draws.of(draw() for _ in range(draws))


def _measured(audience: Audience, repeats: Sequence[Candidates], way: Way) -> dict[str, float]:
    chosen = audience.chosen(way(audience.candidates))
    partners = [repeat.embeddings[way(repeat)] for repeat in repeats]
    return {
        **measure(chosen, audience),
        "stability": stability(chosen.embeddings, partners).value,
    }

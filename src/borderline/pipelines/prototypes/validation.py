"""Are the prototypes better than images taken at random? Intervals and p-values of each measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.stats import false_discovery_control

from borderline.measures.intervals import Estimate, estimate, estimate_of_repeats
from borderline.params import RunParams
from borderline.pipelines.prototypes.candidates import Candidates
from borderline.pipelines.prototypes.measures import (
    BETTER,
    Audience,
    Chosen,
    matched_similarities,
    measure,
)
from borderline.pipelines.prototypes.params import ValidationParams
from borderline.pipelines.prototypes.selection import OVER_ALL, Selection, select

MOST_AMBIGUOUS = "most_ambiguous"
RANDOM_BORDERLINE = "random_borderline"
REAL_BORDERLINE = "real_borderline"
BASELINES = (REAL_BORDERLINE, RANDOM_BORDERLINE, MOST_AMBIGUOUS)
"""What prototypes are compared with: images that no pattern was used for."""

COLUMNS = (
    *("chosen_by", "measure", "better", "prototypes", "value", "low", "high"),
    *("random", "p_value", "q_value", "random_of_cluster", "p_of_cluster", "note"),
)

Way = Callable[[Candidates, int], np.ndarray]
"""Chooses rows of candidates, with a seed."""


class Real(NamedTuple):
    """The real borderline test images, for the baseline of Gomes et al. 2024.

    Attributes:
        embeddings: Shape (R, D).
        labels: The clusters that they fall into, shape (R,).
        places: Where they are in the 2D map, shape (R, 2).
    """

    embeddings: np.ndarray
    labels: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Evidence:
    """All that the validation compares.

    Attributes:
        audience: The images that are to be stood for.
        selections: The rows of the audience that each way chose.
        repeats: The candidates of each other run.
        real: The real borderline images.
    """

    audience: Audience
    selections: Mapping[Selection, np.ndarray]
    repeats: Sequence[Candidates]
    real: Real


@dataclass
class Draws:
    """Measures of random choices, by measure: what chance gives.

    Attributes:
        values: Each of shape (draws,).
    """

    values: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, float]]) -> Draws:
        """The values of each draw."""
        table = pd.DataFrame(list(rows))
        return cls({str(name): table[name].to_numpy(dtype=float) for name in table})

    def mean(self, name: str) -> float:
        """The mean over the draws; NaN for none."""
        known = self._known(name)
        return float(known.mean()) if len(known) else math.nan

    def estimate(self, name: str) -> Estimate:
        """The mean with the range of 95 % of the draws."""
        known = self._known(name)
        if len(known) == 0:
            return Estimate.none()
        return Estimate(float(known.mean()), *map(float, np.quantile(known, [0.025, 0.975])))

    def p_value(self, name: str, value: float) -> float:
        """The share of draws, the value among them, that are at least as good; NaN for none.

        The Monte Carlo permutation test: under the hypothesis that the images were picked at
        random, any other pick of as many was as likely (Phipson and Smyth 2010).
        """
        known = self._known(name)
        if len(known) == 0 or math.isnan(value):
            return math.nan
        # Equal figures may differ by rounding.
        slack = 1e-12 * max(abs(value), 1.0)
        as_good = known >= value - slack if BETTER[name] == "higher" else known <= value + slack
        return float((1 + as_good.sum()) / (1 + len(known)))

    def _known(self, name: str) -> np.ndarray:
        values = self.values.get(name, np.zeros(0))
        return np.asarray(values[~np.isnan(values)])


def most_ambiguous(candidates: Candidates, count: int) -> np.ndarray:
    """The rows of the images with the smallest confusion distance, shape (count,)."""
    return np.asarray(np.argsort(candidates.distances, kind="stable")[:count])


def validate(evidence: Evidence, params: ValidationParams, run: RunParams) -> pd.DataFrame:
    """Judge every selection and every baseline by every measure.

    Intervals of selections come from bootstrap resamples of the borderline images, in each of which
    the prototypes are chosen again among the same clusters; where there are more than
    ``params.resample_images``, from resamples of as many, scaled (the m-out-of-n bootstrap). Those
    of the stability are Student's over the other runs; those of random baselines hold 95 % of the
    draws.

    Args:
        evidence: What is compared.
        params: How often.
        run: The seed.

    Returns:
        One row a selection and measure, by ``COLUMNS``: ``value`` with ``low`` and ``high``; the
        mean of as many ``random`` borderline images, and the ``p_value`` against them; for ways
        that choose one image a cluster the same against random members of each cluster; the
        ``q_value``, the first p-value corrected for the number of rows (Benjamini and Hochberg
        1995); a ``note`` where there is no value.
    """
    audience = evidence.audience
    count = len(audience.candidates.clusters)
    if count == 0:
        return pd.DataFrame(columns=list(COLUMNS))
    ways: dict[str, Way] = {name: _way(name) for name in evidence.selections}
    chosen = {str(name): audience.chosen(rows) for name, rows in evidence.selections.items()}
    ways[MOST_AMBIGUOUS] = lambda candidates, _: most_ambiguous(candidates, count)
    chosen[MOST_AMBIGUOUS] = audience.chosen(most_ambiguous(audience.candidates, count))
    chance = Draws.of(_random_draws(evidence, params, run))
    of_cluster = Draws.of(_draws_of_clusters(evidence, params, run))
    replicates = _resampled(audience, ways, params, run)
    rows = []
    for name, images in chosen.items():
        values = measure(images, audience)
        estimates = {
            each: _spread(values[each], replicates[name].get(each), audience, params)
            for each in values
        }
        estimates["stability"] = stability(
            images.embeddings, [r.embeddings[ways[name](r, 0)] for r in evidence.repeats]
        )
        in_clusters = name not in (*OVER_ALL, MOST_AMBIGUOUS, "random")
        rows += _rows(
            name, len(images.labels), estimates, chance, of_cluster if in_clusters else None
        )
    real = Draws.of(_real_draws(evidence.real, audience, count, params, run))
    note = f"the test set has only {len(evidence.real.labels)} borderline images"
    rows += _rows(REAL_BORDERLINE, count, {m: real.estimate(m) for m in BETTER}, chance, None, note)
    rows += _rows(RANDOM_BORDERLINE, count, {m: chance.estimate(m) for m in BETTER}, None, None)
    return _corrected(pd.DataFrame(rows, columns=list(COLUMNS)))


def stability(embeddings: np.ndarray, others: Sequence[np.ndarray]) -> Estimate:
    """The mean similarity of prototypes with their partners in other runs.

    Args:
        embeddings: Of the prototypes, shape (K, D).
        others: Of those of each other run, shape (K', D).
    """
    return estimate_of_repeats([_mean_match(embeddings, other) for other in others])


def _mean_match(first: np.ndarray, second: np.ndarray) -> float:
    found, _ = matched_similarities(first, second)
    return float(np.nanmean(found)) if np.isfinite(found).any() else math.nan


def _way(selection: Selection) -> Way:
    return lambda candidates, seed: select(selection, candidates, seed)


def _random_draws(
    evidence: Evidence, params: ValidationParams, run: RunParams
) -> Iterable[dict[str, float]]:
    """As many random images as there are clusters, here and in the other runs."""
    audience, random = evidence.audience, np.random.default_rng(run.seed_for("random images"))
    count = len(audience.candidates.clusters)
    for _ in range(params.draws):
        own = audience.chosen(random.choice(len(audience.candidates), count, replace=False))
        others = [
            r.embeddings[random.choice(len(r), min(len(r.clusters), len(r)), replace=False)]
            for r in evidence.repeats
        ]
        yield {**measure(own, audience), "stability": stability(own.embeddings, others).value}


def _draws_of_clusters(
    evidence: Evidence, params: ValidationParams, run: RunParams
) -> Iterable[dict[str, float]]:
    """A random image of each cluster, here and in the other runs."""
    audience = evidence.audience
    for draw in range(params.draws):
        seed = run.seed_for("random members", draw)
        own = audience.chosen(select("random", audience.candidates, seed))
        others = [r.embeddings[select("random", r, seed)] for r in evidence.repeats]
        yield {**measure(own, audience), "stability": stability(own.embeddings, others).value}


def _real_draws(
    real: Real, audience: Audience, count: int, params: ValidationParams, run: RunParams
) -> Iterable[dict[str, float]]:
    """As many random real borderline images, and as many others of them to be matched with."""
    random = np.random.default_rng(run.seed_for("real images"))
    if len(real.labels) < count:
        return
    for _ in range(params.draws):
        order = random.permutation(len(real.labels))
        rows, others = order[:count], order[count : 2 * count]
        own = Chosen(real.embeddings[rows], real.labels[rows], real.places[rows], None)
        values = measure(own, audience)
        if len(others) == count:
            values["stability"] = stability(own.embeddings, [real.embeddings[others]]).value
        yield values


def _resampled(
    audience: Audience, ways: Mapping[str, Way], params: ValidationParams, run: RunParams
) -> dict[str, dict[str, np.ndarray]]:
    """The measures of each way in each resample, by way and measure."""
    size = min(len(audience.candidates), params.resample_images)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number in range(params.resamples):
        seed = run.seed_for("resampled images", number)
        rows = np.random.default_rng(seed).choice(len(audience.candidates), size)
        resample = audience.rows(np.sort(rows))
        for name, way in ways.items():
            chosen = resample.chosen(way(resample.candidates, seed))
            found[name].append(measure(chosen, resample))
    return {name: Draws.of(values).values for name, values in found.items()}


def _spread(
    value: float, replicates: np.ndarray | None, audience: Audience, params: ValidationParams
) -> Estimate:
    known = np.zeros(0) if replicates is None else replicates[~np.isnan(replicates)]
    if math.isnan(value) or len(known) < 2:
        return Estimate(value, math.nan, math.nan)
    total = len(audience.candidates)
    scale = math.sqrt(min(total, params.resample_images) / total)
    centred = known.mean() + scale * (known - known.mean())
    return estimate(value, torch.from_numpy(centred))


def _rows(
    name: str,
    count: int,
    estimates: Mapping[str, Estimate],
    chance: Draws | None,
    of_cluster: Draws | None,
    note: str = "",
) -> list[dict[str, object]]:
    rows = []
    for each, better in BETTER.items():
        found = estimates[each]
        missing = note or "it is not defined here"
        row: dict[str, object] = {
            **{"chosen_by": name, "measure": each, "better": better, "prototypes": count},
            **found._asdict(),
            "note": missing if math.isnan(found.value) else "",
        }
        if chance is not None:
            row |= {"random": chance.mean(each), "p_value": chance.p_value(each, found.value)}
        if of_cluster is not None:
            row |= {
                "random_of_cluster": of_cluster.mean(each),
                "p_of_cluster": of_cluster.p_value(each, found.value),
            }
        rows.append(row)
    return rows


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    known = table["p_value"].notna()
    if known.any():
        p_values = table.loc[known, "p_value"].to_numpy(dtype=float)
        table.loc[known, "q_value"] = false_discovery_control(p_values)
    return table

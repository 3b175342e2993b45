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
from borderline.pipelines.prototypes.choosing.candidates import Candidates, directions
from borderline.pipelines.prototypes.choosing.measures import (
    BETTER,
    RANGES,
    Audience,
    Chosen,
    matched_similarities,
    measure,
)
from borderline.pipelines.prototypes.choosing.selection import OVER_ALL, Selection, select
from borderline.pipelines.prototypes.params import ValidationParams

MOST_AMBIGUOUS = "most_ambiguous"
RANDOM_BORDERLINE = "random_borderline"
REAL_BORDERLINE = "real_borderline"
BASELINES = (REAL_BORDERLINE, RANDOM_BORDERLINE, MOST_AMBIGUOUS)
"""What prototypes are compared with: images that no pattern was used for."""

NULLS = {"": "random", "_of_cluster": "random_of_cluster", "_of_labels": "shuffled_labels"}
"""What a p-value is against, by the end of its column, and the column of that one's mean."""

COLUMNS = (
    *("chosen_by", "measure", "better", "prototypes", "value", "low", "high"),
    *(f"{name}{end}" for end in NULLS for name in ("p_value", "q_value")),
    *NULLS.values(),
    *("q_worse", "note"),
)

Way = Callable[[Candidates], np.ndarray]
"""Chooses rows of candidates."""


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
        repeats: The candidates of each other run that found clusters.
        attempts: How many other runs there were.
        real: The real borderline images.
        wanted: How many images each other run was to have.
    """

    audience: Audience
    selections: Mapping[Selection, np.ndarray]
    repeats: Sequence[Candidates]
    attempts: int
    real: Real
    wanted: int = 0


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

    def estimate(self, name: str) -> Estimate:
        """The mean with the range of 95 % of the draws; NaN for none."""
        known = self.known(name)
        if len(known) == 0:
            return Estimate.none()
        low, high = np.quantile(known, [0.025, 0.975])
        return Estimate(float(known.mean()), float(low), float(high))

    def p_value(self, name: str, value: float, *, worse: bool = False) -> float:
        """The share of draws, the value among them, that are at least as good; NaN for none.

        The Monte Carlo permutation test: under the hypothesis that the images were picked at
        random, any other pick was as likely (Phipson and Smyth 2010).

        Args:
            name: The measure.
            value: What was found.
            worse: Whether to count those that are at least as bad instead.
        """
        known = self.known(name)
        if len(known) == 0 or math.isnan(value):
            return math.nan
        # Equal figures may differ by rounding, and count on either side.
        slack = 1e-12 * max(abs(value), 1.0)
        upper = (BETTER[name] == "higher") != worse
        reached = known >= value - slack if upper else known <= value + slack
        return float((1 + reached.sum()) / (1 + len(known)))

    def known(self, name: str) -> np.ndarray:
        """The values of a measure where it is defined."""
        values = self.values.get(name, np.zeros(0))
        return np.asarray(values[~np.isnan(values)])


def most_ambiguous(candidates: Candidates) -> np.ndarray:
    """The rows of the images with the smallest confusion distance, as many as clusters."""
    order = np.argsort(candidates.distances, kind="stable")
    return np.asarray(order[: len(candidates.clusters)])


def validate(evidence: Evidence, params: ValidationParams, run: RunParams) -> pd.DataFrame:
    """Judge every selection and every baseline by every measure.

    Three hypotheses of chance: the prototypes are as many random borderline images; for ways that
    choose one image a cluster, random members of each cluster; and for those, what the same way
    chooses from clusters whose labels were shuffled. The last one is the hardest where a way takes
    central images, which cover much whatever the labels are: who beats it owes that to the
    clusters.

    Intervals of selections come from random halves of each cluster, in which the prototypes are
    chosen again (the delete-d jackknife of Shao and Wu 1989); where half of the images are more
    than ``params.resample_images``, from smaller parts, which makes them too wide. Those of the
    stability are Student's over the other runs; those of random baselines hold 95 % of the draws.

    Args:
        evidence: What is compared.
        params: How often.
        run: The seed.

    Returns:
        One row a selection and measure, by ``COLUMNS``: ``value`` with ``low`` and ``high``;
        against each hypothesis of chance (``NULLS``) the p-value and ``q_value``, the same
        corrected for the number of rows (Benjamini and Hochberg 1995), and the mean of chance;
        ``q_worse``, the corrected p-value of being worse than random images; and a ``note`` where
        there is no value, or less behind it than there should be.
    """
    audience = evidence.audience
    if len(audience.candidates.clusters) == 0:
        return pd.DataFrame(columns=list(COLUMNS))
    ways: dict[str, Way] = {name: way_of(name, run) for name in evidence.selections}
    chosen = {str(name): audience.chosen(rows) for name, rows in evidence.selections.items()}
    ways[MOST_AMBIGUOUS] = most_ambiguous
    chosen[MOST_AMBIGUOUS] = audience.chosen(most_ambiguous(audience.candidates))
    chance = Draws.of(_random_draws(evidence, params, run))
    of_cluster = Draws.of(_draws_of_clusters(evidence, params, run))
    replicates = _resampled(audience, ways, params, run)
    rows = []
    for name, images in chosen.items():
        values = measure(images, audience)
        found = {each: _spread(each, values[each], replicates[name].known(each)) for each in values}
        others = [r.embeddings[ways[name](r)] for r in evidence.repeats]
        found["stability"] = stability(images.embeddings, others)
        nulls = {"": chance}
        if name not in (*OVER_ALL, MOST_AMBIGUOUS):
            if name != "random":
                nulls["_of_cluster"] = of_cluster
            nulls["_of_labels"] = Draws.of(_draws_of_labels(evidence, ways[name], params, run))
        rows += _rows(name, len(images.labels), found, nulls, _notes(evidence))
    rows += _rows_of_real(evidence, params, run)
    count = len(audience.candidates.clusters)
    found = {each: chance.estimate(each) for each in BETTER}
    rows += _rows(RANDOM_BORDERLINE, count, found, {}, _notes(evidence))
    return _corrected(pd.DataFrame(rows, columns=list(COLUMNS)))


def way_of(selection: Selection, run: RunParams) -> Way:
    """A selection with the run's seed."""
    seed = run.seed_for("selection", selection)
    return lambda candidates: select(selection, candidates, seed)


def stability(embeddings: np.ndarray, others: Sequence[np.ndarray]) -> Estimate:
    """The mean similarity of prototypes with their partners in other runs.

    Where another run has fewer, those left over count with the most similar one there.

    Args:
        embeddings: Of the prototypes, shape (K, D).
        others: Of those of each other run, shape (K', D).
    """
    found = [_mean_match(embeddings, other) for other in others]
    return estimate_of_repeats(found).within(*RANGES["stability"])


def _mean_match(first: np.ndarray, second: np.ndarray) -> float:
    if len(first) == 0 or len(second) == 0:
        return math.nan
    found, _ = matched_similarities(first, second)
    # Who is left over without a partner has the nearest one, which is another's.
    nearest = (directions(first) @ directions(second).T).max(1)
    return float(np.where(np.isnan(found), nearest, found).mean())


def _random_draws(
    evidence: Evidence, params: ValidationParams, run: RunParams
) -> Iterable[dict[str, float]]:
    """As many random images as there are clusters, here and in the other runs."""
    random = np.random.default_rng(run.seed_for("random images"))

    def choose(candidates: Candidates) -> np.ndarray:
        count = min(len(candidates.clusters), len(candidates))
        return random.choice(len(candidates), count, replace=False)

    for _ in range(params.draws):
        yield _measure_here_and_there(evidence.audience, evidence.repeats, choose)


def _draws_of_clusters(
    evidence: Evidence, params: ValidationParams, run: RunParams
) -> Iterable[dict[str, float]]:
    """A random image of each cluster, here and in the other runs."""
    for draw in range(params.draws):
        seed = run.seed_for("random members", draw)
        yield _measure_here_and_there(
            evidence.audience,
            evidence.repeats,
            lambda candidates, seed=seed: select("random", candidates, seed),  # type: ignore[misc]
        )


def _draws_of_labels(
    evidence: Evidence, way: Way, params: ValidationParams, run: RunParams
) -> Iterable[dict[str, float]]:
    """What a way chooses from shuffled labels, here and in the other runs."""
    audience = evidence.audience
    # What it computes of the images is then there for every shuffle.
    way(audience.candidates)
    random = np.random.default_rng(run.seed_for("shuffled labels"))
    for _ in range(params.label_draws):
        shuffled = audience.relabelled(random.permutation(audience.candidates.labels))
        repeats = [r.relabelled(random.permutation(r.labels)) for r in evidence.repeats]
        yield _measure_here_and_there(shuffled, repeats, way)


def _measure_here_and_there(
    audience: Audience, repeats: Sequence[Candidates], way: Way
) -> dict[str, float]:
    own = audience.chosen(way(audience.candidates))
    others = [r.embeddings[way(r)] for r in repeats]
    return {**measure(own, audience), "stability": stability(own.embeddings, others).value}


def _rows_of_real(
    evidence: Evidence, params: ValidationParams, run: RunParams
) -> list[dict[str, object]]:
    """The paper's baseline: the mean over many draws, which no single draw is to be held against.

    Each draw is matched with as many others of the real images as the other runs have prototypes.
    """
    real, audience = evidence.real, evidence.audience
    count, there = len(audience.candidates.clusters), len(evidence.real.labels)
    partners = [len(r.clusters) for r in evidence.repeats]
    random = np.random.default_rng(run.seed_for("real images"))
    draws: list[dict[str, float]] = []
    for _ in range(params.draws if there >= count else 0):
        rows, left = np.split(random.permutation(there), [count])
        own = Chosen(real.embeddings[rows], real.labels[rows], real.places[rows], None)
        values = measure(own, audience)
        if partners and len(left) >= max(partners):
            others = [random.choice(left, number, replace=False) for number in partners]
            values["stability"] = stability(
                own.embeddings, [real.embeddings[other] for other in others]
            ).value
        draws.append(values)
    found = Draws.of(draws)
    few = f"the test set has only {there} borderline images"
    notes = _notes(evidence)
    if there < count:
        notes |= dict.fromkeys(BETTER, few)
    elif partners and there < count + max(partners):
        notes["stability"] = few
    return _rows(REAL_BORDERLINE, count, {m: found.estimate(m) for m in BETTER}, {}, notes)


def _resampled(
    audience: Audience, ways: Mapping[str, Way], params: ValidationParams, run: RunParams
) -> dict[str, Draws]:
    """The measures of each way in each random part of the images, by way."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    share = min(0.5, params.resample_images / len(audience.candidates))
    for number in range(params.resamples):
        random = np.random.default_rng(run.seed_for("part of the images", number))
        part = audience.rows(_part_of_each(audience.candidates.labels, share, random))
        for name, way in ways.items():
            found[name].append(measure(part.chosen(way(part.candidates)), part))
    return {name: Draws.of(values) for name, values in found.items()}


def _part_of_each(labels: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Rows of a random part of each cluster, and of the images without one; none is left out."""
    rows = []
    for label in np.unique(labels):
        own = random.permutation(np.flatnonzero(labels == label))
        rows.append(own[: max(round(share * len(own)), 1)])
    return np.sort(np.concatenate(rows))


def _spread(name: str, value: float, parts: np.ndarray) -> Estimate:
    if math.isnan(value) or len(parts) < 2:
        return Estimate(value, math.nan, math.nan)
    # A half varies around the whole as much as the whole does around the truth.
    return estimate(value, torch.from_numpy(parts)).within(*RANGES[name])


def _notes(evidence: Evidence) -> dict[str, str]:
    found, of = len(evidence.repeats), evidence.attempts
    fewer = sum(len(r) < evidence.wanted for r in evidence.repeats)
    said = [
        f"only {found} of {of} other seeds gave clusters" if found < of else "",
        f"{fewer} of {of} gave fewer images" if fewer else "",
    ]
    return {"stability": ", ".join(filter(None, said))}


def _rows(
    name: str,
    count: int,
    estimates: Mapping[str, Estimate],
    nulls: Mapping[str, Draws],
    notes: Mapping[str, str],
) -> list[dict[str, object]]:
    rows = []
    for each, better in BETTER.items():
        found = estimates[each]
        note = notes.get(each, "")
        if math.isnan(found.value) and not note:
            note = "it takes two prototypes" if count < 2 else "it is not defined here"
        row: dict[str, object] = {
            **{"chosen_by": name, "measure": each, "better": better, "prototypes": count},
            **found._asdict(),
            "note": note,
        }
        for end, draws in nulls.items():
            row[NULLS[end]] = draws.estimate(each).value
            row[f"p_value{end}"] = draws.p_value(each, found.value)
        if "" in nulls:
            row["q_worse"] = nulls[""].p_value(each, found.value, worse=True)
        rows.append(row)
    return rows


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    columns = {f"p_value{end}": f"q_value{end}" for end in NULLS} | {"q_worse": "q_worse"}
    for source, target in columns.items():
        known = table[source].notna()
        if known.any():
            p_values = table.loc[known, source].to_numpy(dtype=float)
            table.loc[known, target] = false_discovery_control(p_values)
    return table

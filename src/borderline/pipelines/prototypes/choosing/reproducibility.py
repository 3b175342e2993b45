"""Whether other images, generators and GANs give the same patterns.

Each comparison fits the recipe again, or chooses as many exemplars, and matches the prototypes of
both. Where the run clusters all generators together, so does each comparison: with the other images
in place of those of the chosen generator, with the other generators without the chosen one, or with
the generators of another GAN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from borderline.measures.intervals import estimate_of_repeats
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.matching import mean_match
from borderline.pipelines.prototypes.choosing.names import LEVELS
from borderline.pipelines.prototypes.choosing.repetition import (
    Settled,
    agreement,
    cluster_again,
)
from borderline.pipelines.prototypes.choosing.selection import Way
from borderline.records import Pool, Repeats, generators_in

LIMITS = {"clusters": {"ari": 0.8}, "continuum": {"closed": 0.5, "judge_closed": 0.5}}
"""The least means with which the patterns of a mode are found again."""

_FIGURES = ("ari", "closed", "judge_closed")
_MATCHED = ("similarity", "similarity_random", "closed")
_COMPARISON = (
    *("level", "other", "images", "mode", "number", "ari"),
    *_MATCHED,
    *(f"judge_{name}" for name in _MATCHED),
    "note",
)
_DRAWS = 99

NOTHING = pd.DataFrame(columns=list(_COMPARISON))
"""The table of comparisons of a run without prototypes."""


class Seen(NamedTuple):
    """Borderline images as the model, (n, D), and the judge, (n, F), see them."""

    embeddings: np.ndarray
    features: np.ndarray

    def rows(self, rows: np.ndarray) -> Seen:
        """Some of the images."""
        return Seen(self.embeddings[rows], self.features[rows])


class Run(NamedTuple):
    """What is compared with others.

    Attributes:
        settled: The clusters or exemplars.
        seen: The borderline images.
        chosen: The rows of the shown prototypes, (K,).
        way: Chooses prototypes.
    """

    settled: Settled
    seen: Seen
    chosen: np.ndarray
    way: Way


class Other(NamedTuple):
    """Other images to compare with.

    Attributes:
        level: The level of the comparison.
        name: Their name on this level.
        seen: The images.
        pool: The images of all generators of that side.
        attempt: The number that gives the seeds.
    """

    level: str
    name: str
    seen: Seen
    pool: Pool
    attempt: int = 0


def others(this: Run, count: int, run: RunParams) -> Iterator[Other]:
    """The images of all levels but ``images``, ``count`` times with other seeds and resamples."""
    images, settled = len(this.seen.embeddings), this.settled
    if settled.model.exemplars is None:
        for number in range(1, count + 1):
            yield Other("seeds", str(number), this.seen, settled.pool, number)
    for number in range(1, count + 1):
        random = np.random.default_rng(run.seed_for("resample", number))
        seen = this.seen.rows(np.unique(random.choice(images, images)))
        yield Other("resamples", str(number), seen, settled.pool_with(*seen), count + number)
    for name in generators_in(settled.pool):
        level = _level(name, settled)
        if level:
            seen = Seen(*(settled.pool[f"{name}.{field}"].numpy() for field in Seen._fields))
            yield Other(level, name, seen, _pool_of(level, name, settled))


def _level(name: str, this: Settled) -> str:
    """The level of another generator; empty for a generator of another kind and another GAN."""
    own, gan = this.gans[this.generator], this.gans[name]
    if gan == own:
        return "" if name == this.generator else "generators"
    kinds = {n.removesuffix(f"_run_{number}") for n, number in ((this.generator, own), (name, gan))}
    return "gans" if len(kinds) == 1 else ""


def _pool_of(level: str, name: str, this: Settled) -> Pool:
    """The images of all generators but the run's, or those of another GAN."""

    def kept(generator: str) -> bool:
        if level == "generators":
            return generator != this.generator
        return this.gans[generator] == this.gans[name]

    return {key: part for key, part in this.pool.items() if kept(key.rpartition(".")[0])}


def compare_all(
    this: Run, repeats: Repeats, repeats_table: pd.DataFrame, count: int, run: RunParams
) -> pd.DataFrame:
    """One row a comparison.

    Args:
        this: The run.
        repeats: Its repeats, which are the level ``images``.
        repeats_table: Their table.
        count: The number of other seeds and of resamples.
        run: Gives the seeds.
    """
    rows = [compare(this, other, run) for other in others(this, count, run)]
    for number, name in enumerate(sorted(repeats)):
        known, repeat = repeats_table.iloc[number], repeats[name]()
        row = _row("images", str(number), int(known["images"]))
        if len(repeat["labels"]):
            row |= {key: known[key] for key in ("mode", "number", "ari")}
            seen = Seen(repeat["embeddings"].numpy(), repeat["features"].numpy())
            row |= _similarities(this, seen, Candidates.of(repeat), run.seed_for("repeat", number))
        rows.append(row | {"note": known["note"]})
    return pd.DataFrame(rows, columns=list(_COMPARISON))


def compare(this: Run, other: Other, run: RunParams) -> dict[str, Any]:
    """A run and other images, by the columns of the table of comparisons."""
    row = _row(other.level, other.name, len(other.seen.embeddings))
    seed = run.seed_for("again", other.level, other.name)
    run, settled = run.model_copy(update={"seed": seed}), this.settled
    again = cluster_again(*other.seen, other.pool, settled.model, run, other.attempt)
    if again is None:
        return row | {"note": "the recipe gives no two clusters in these images"}
    number = settled.model.choose_number(*other.seen, other.pool, settled.gans, run)
    ari = agreement(settled, again.model, other.seen.embeddings)
    embeddings, labels = other.seen.embeddings.astype(np.float64), again.labels
    # No prototype is chosen by its confusion distance.
    unknown = np.zeros(len(labels))
    exemplars = again.model.exemplars
    candidates = Candidates(embeddings, again.points, labels, unknown, exemplars)
    row |= {"mode": number.mode, "number": number.number, "ari": ari}
    return row | _similarities(this, other.seen, candidates, seed)


def _row(level: str, name: str, images: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(_COMPARISON, math.nan)
    return row | {"level": level, "other": name, "images": images, "mode": "", "note": ""}


def _similarities(this: Run, seen: Seen, candidates: Candidates, seed: int) -> dict[str, float]:
    """The similarity of the prototypes to those of other images, in both spaces."""
    chosen, random = this.way(candidates), np.random.default_rng(seed)
    row: dict[str, float] = {}
    for prefix, first, second in zip(("", "judge_"), this.seen, seen, strict=True):
        matched = _matched(first, this.chosen, second, chosen, random)
        row |= {prefix + name: value for name, value in zip(_MATCHED, matched, strict=True)}
    return row


def _matched(
    first: np.ndarray,
    rows: np.ndarray,
    second: np.ndarray,
    others: np.ndarray,
    random: np.random.Generator,
) -> tuple[float, float, float]:
    """The mean similarity of matched prototypes, that of as many random images, and the share of
    the gap between the latter and 1 that is closed."""
    similarity = mean_match(first[rows], second[others])
    draws = [
        mean_match(
            first[random.choice(len(first), len(rows), replace=False)],
            second[random.choice(len(second), len(others), replace=False)],
        )
        for _ in range(_DRAWS)
    ]
    chance = float(np.mean(draws))
    return similarity, chance, (similarity - chance) / (1 - chance) if chance < 1 else math.nan


def by_level(comparisons: pd.DataFrame, own: str, gans: Mapping[str, int]) -> pd.DataFrame:
    """One row a level: the means of the comparisons with their intervals, and a verdict.

    Args:
        comparisons: The table of comparisons.
        own: The mode of the run, ``clusters`` or ``continuum``.
        gans: The number of the GAN of each generator.
    """
    why = partial(_why_not, nothing=comparisons.empty, gans=gans)
    rows = []
    for level in LEVELS:
        table = comparisons[comparisons["level"] == level]
        known = table[table["ari"].notna()]
        row: dict[str, Any] = {"level": level, "compared_with": LEVELS[level]}
        row |= {"compared": len(table), "fitted": len(known)}
        row |= {"same_mode": int((known["mode"] == own).sum())}
        row |= {"number_least": known["number"].min(), "number_most": known["number"].max()}
        for name in ("ari", *_MATCHED, *(f"judge_{name}" for name in _MATCHED)):
            estimate = estimate_of_repeats(known[name].to_list()).within(-1, 1)
            row[name] = estimate.value
            if name in _FIGURES:
                row |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        row["reproducible"] = _verdict(row, own) if len(table) else ""
        rows.append(row | {"note": "" if len(table) else why(level)})
    return pd.DataFrame(rows)


def _verdict(row: Mapping[str, Any], own: str) -> str:
    if row["fitted"] < row["compared"] or 2 * row["same_mode"] <= row["compared"]:
        return "no"
    found = all(row[name] >= least for name, least in LIMITS[own].items())
    return "yes" if found else "no"


def _why_not(level: str, nothing: bool, gans: Mapping[str, int]) -> str:
    """Why nothing is compared on a level."""
    if nothing:
        return "there are no prototypes"
    several = len(set(gans.values())) > 1
    return {
        "seeds": "the choice of exemplars has no random part",
        "images": "no repeat gave images with clusters",
        "generators": "no other generator has borderline images",
        "gans": "the other GANs have no such images" if several else "grid.runs is 1",
    }.get(level, "")

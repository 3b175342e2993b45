"""Whether other images, generators and GANs give the same patterns.

Each comparison fits the recipe again, or chooses as many exemplars, and matches the prototypes of
both. Where the run clusters all generators together, so does each comparison: on resamples or other
images of all generators, on the other generators without the chosen one, or on those of another
GAN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from borderline.grid import base_name
from borderline.measures.intervals import estimate_of_repeats
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.matching import mean_match
from borderline.pipelines.prototypes.choosing.names import LEVELS
from borderline.pipelines.prototypes.choosing.repetition import (
    FEWEST_CLUSTERED,
    Seen,
    Settled,
    agreement,
    cluster_again,
)
from borderline.pipelines.prototypes.choosing.selection import Way
from borderline.records import Pool, Repeats, generators_in
from borderline.threads import side_by_side

LIMITS = {"clusters": {"ari": 0.8}, "continuum": {"closed": 0.5, "judge_closed": 0.5}}
"""The least means with which the patterns of a mode are found again."""
RULES = {
    "clusters": "most comparisons have clusters too, and their mean adjusted Rand index is at "
    "least {ari}",
    "continuum": "the images of most comparisons form a continuum too, and the mean similarity of "
    "matched exemplars lies at least {closed} of the way from that of random images to 1, in the "
    "embeddings and in the judge's features",
}
"""The rule of each mode in words."""

_FIGURES = ("ari", "closed", "judge_closed")
_MATCHED = ("similarity", "similarity_random", "closed")
# Fewer images take small arrays, for which threads wait for the interpreter's lock: on two cores
# 1,000 images took 23 s in two threads and 15 s in one, 4,000 took 29 s and 58 s.
_FEWEST_SIDE_BY_SIDE = 2000
_COMPARISON = (
    *("level", "other", "images", "mode", "number", "ari"),
    *_MATCHED,
    *(f"judge_{name}" for name in _MATCHED),
    "note",
)
_DRAWS = 99
_ONE_PATTERN = "all images lie in one pattern, so that there is no agreement to measure"

NOTHING = pd.DataFrame(columns=list(_COMPARISON))
"""The table of comparisons of a run without prototypes."""


class Run(NamedTuple):
    """A run that is compared with other images.

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
    settled, names = this.settled, generators_in(this.settled.pool)
    if settled.model.exemplars is None:
        for number in range(1, count + 1):
            yield Other("seeds", str(number), this.seen, settled.pool, number)
    for number in range(1, count + 1):
        random = np.random.default_rng(run.seed_for("resample", number))
        parts = {
            name: Seen(*(settled.pool[f"{name}.{field}"].numpy() for field in Seen._fields))
            for name in names
        }
        drawn = {name: part.rows(_resample(part, random)) for name, part in parts.items()}
        seen = this.seen.rows(_resample(this.seen, random))
        pool = settled.pool_of({**drawn, settled.generator: seen})
        yield Other("resamples", str(number), seen, pool, count + number)
    for name in names:
        level = _level(name, settled)
        if level:
            kept = [n for n in names if _on_side(n, level, name, settled)]
            pool = settled.pool_of({n: settled.of_generator(n) for n in kept})
            yield Other(level, name, settled.of_generator(name), pool)


def _resample(seen: Seen, random: np.random.Generator) -> np.ndarray:
    """The distinct rows of a bootstrap resample: repeated images would form a cluster."""
    return np.unique(random.choice(len(seen.embeddings), len(seen.embeddings)))


def _level(name: str, this: Settled) -> str:
    """The level of another generator; empty for the same one, and for another one of another GAN.

    Repetitions of a generator without a GAN are the same generator.
    """
    own, gan = this.gans[this.generator], this.gans[name]
    same_kind = base_name(name) == base_name(this.generator)
    if own and gan and own != gan:
        if same_kind:
            return "gans"
        # A repetition differs in both, but a GAN and a flow of one repetition are two generators.
        return "generators" if _suffix(name) == _suffix(this.generator) else ""
    return "" if same_kind else "generators"


def _suffix(name: str) -> str:
    """The end of a generator's name that says its repetition; empty for the first one."""
    return name.removeprefix(base_name(name))


def _on_side(generator: str, level: str, name: str, this: Settled) -> bool:
    """Whether a generator belongs to the side of ``name``: all but the run's, or one GAN's."""
    if level == "generators":
        return base_name(generator) != base_name(this.generator)
    return this.gans[generator] == this.gans[name]


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
    few = len(this.seen.embeddings) < _FEWEST_SIDE_BY_SIDE
    threads = 1 if few else this.settled.model.threads
    rows = list(
        side_by_side(lambda other: compare(this, other, run), others(this, count, run), threads)
    )
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
    images = len(other.seen.embeddings)
    row = _row(other.level, other.name, images)
    if images < FEWEST_CLUSTERED:
        return row | {"note": f"left out: it has only {images} borderline images"}
    seed = run.seed_for("again", other.level, other.name)
    run, settled = run.model_copy(update={"seed": seed}), this.settled
    side = settled.side(other.seen, other.pool)
    again = cluster_again(side, settled, run, other.attempt)
    if again is None:
        return row | {"note": "these images give no clusters or exemplars"}
    number = settled.model.choose_number(side, run)
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
    similarity = float(mean_match(first[rows], second[others]))
    sides = (first, len(rows)), (second, len(others))
    draws = [
        [random.choice(len(vectors), count, replace=False) for vectors, count in sides]
        for _ in range(_DRAWS)
    ]
    drawn, partners = map(np.array, zip(*draws, strict=True))
    chance = float(mean_match(first[drawn], second[partners]).mean())
    return similarity, chance, (similarity - chance) / (1 - chance) if chance < 1 else math.nan


def by_level(comparisons: pd.DataFrame, own: str, gans: Mapping[str, int]) -> pd.DataFrame:
    """One row a level: the means of the comparisons with their intervals, and a verdict.

    The comparisons with other generators share one fit, so their means have no interval.

    Args:
        comparisons: The table of comparisons.
        own: The mode of the run, ``clusters`` or ``continuum``.
        gans: The number of the GAN of each generator.
    """
    rows, limits = [], LIMITS[own]
    for level, words in LEVELS.items():
        table = comparisons[comparisons["level"] == level]
        left_out = table[table["note"].str.startswith("left out")]
        table = table.drop(left_out.index)
        known = table[table["mode"] != ""]
        row: dict[str, Any] = {"level": level, "words": words, "compared": len(table)}
        row |= {"fitted": len(known), "same_mode": int((known["mode"] == own).sum())}
        row |= {"number_least": known["number"].min(), "number_most": known["number"].max()}
        for name in ("ari", *_MATCHED, *(f"judge_{name}" for name in _MATCHED)):
            estimate = estimate_of_repeats(known[name].to_list()).within(-1, 1)
            row[name] = estimate.value
            if name in _FIGURES:
                ends = estimate[1:] if level != "generators" else (math.nan, math.nan)
                row |= {f"{name}_low": ends[0], f"{name}_high": ends[1]}
        # Most comparisons must be of the same mode; those without clusters are not.
        found = 2 * row["same_mode"] > len(table)
        found &= all(row[name] >= least for name, least in limits.items())
        undefined = len(known) > 0 and all(math.isnan(row[name]) for name in limits)
        tells = len(table) > 0 and not undefined
        row["reproducible"] = ("yes" if found else "no") if tells else ""
        row["rule"] = RULES[own].format(**limits)
        note = "; ".join(f"{n}: {why}" for n, why in left_out[["other", "note"]].to_numpy())
        if undefined:
            note = _ONE_PATTERN
        elif not len(table):
            note = note or _why_not(level, comparisons, gans)
        rows.append(row | {"note": note})
    return pd.DataFrame(rows)


def _why_not(level: str, comparisons: pd.DataFrame, gans: Mapping[str, int]) -> str:
    """Why nothing is compared on a level."""
    if comparisons.empty:
        return "there are no prototypes"
    return {
        "seeds": "the choice of exemplars has no random part",
        "generators": "no other generator has borderline images",
        "gans": "its generators have no borderline images"
        if any(number and _suffix(name) for name, number in gans.items())
        else "there is only one, because grid.runs is 1 or step 1 was given",
    }.get(level, "")

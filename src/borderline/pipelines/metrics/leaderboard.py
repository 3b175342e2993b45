"""The leaderboard: one row per generator, the floor, and the rule that chooses a generator."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from borderline.errors import BorderlineError
from borderline.measures.judges import Distance
from borderline.pipelines.metrics.comparison import REAL, measure_name
from borderline.pipelines.metrics.front import knee, pareto_front
from borderline.pipelines.metrics.params import RULES as RULES

# The leaderboard shows these measures of borderline images; realism_table has all.
_SHOWN_OF_BORDERLINE = ("precision", "density", "coverage", "vendi", "near_duplicates")
_GROUPS = {
    ("all", "real"): "",
    ("borderline", "real"): "_borderline",
    ("borderline", "real borderline"): "_to_borderline",
}


def gather_scores(
    tables: Mapping[str, pd.DataFrame],
    floor: Mapping[str, float],
    baselines: Mapping[str, str] = MappingProxyType({}),
) -> pd.DataFrame:
    """One row for each generator, by source, and a last one for the real test images, the floor.

    ``baseline`` says what the images of a baseline are, from ``baselines``; it is empty for others.
    """
    real = pd.DataFrame([{**floor, "note": ""}])
    table = pd.concat([*tables.values(), real], ignore_index=True)
    # These distances are of all images; the comparisons bring distances at equal N.
    table = table.loc[:, ~table.columns.str.startswith(("fd_", "fid"))]
    table.insert(0, "source", [*tables, REAL])
    if "evaluations" in table:
        # A whole number, which the real images and images of earlier versions lack.
        table["evaluations"] = table["evaluations"].astype("Int64")
    return table.assign(baseline=[baselines.get(source, "") for source in table["source"]])


def lay_out_leaderboard(
    scores: pd.DataFrame, realism: pd.DataFrame, distance: Distance = "fd_lenet"
) -> pd.DataFrame:
    """The leaderboard before the choice, from ``gather_scores`` and ``compare``.

    Returns:
        The scores and the main measures at equal N: a column for the value, ``_low`` and ``_high``
        for the interval, ``_n`` for N. ``on_front`` marks the generators on the Pareto front of
        the distance and ACD, of those that a rule may choose.
    """
    table = scores
    for (images, against), suffix in _GROUPS.items():
        group = realism[(realism["images"] == images) & (realism["against"] == against)]
        shown = [measure_name("fd", judge) for judge in group["judge"].unique()]
        if suffix == "_borderline":
            shown += [measure_name(measure, "lenet") for measure in _SHOWN_OF_BORDERLINE]
        for name in shown:
            values = group[group["measure"] == name].set_index("source")
            columns = {"value": f"{name}{suffix}"}
            columns |= {end: f"{name}{suffix}_{end}" for end in ("low", "high", "n")}
            table = table.join(values[list(columns)].rename(columns=columns), on="source")
    candidates = table["source"].isin(candidates_of(table)["source"]).to_numpy()
    fd = np.where(candidates, table[distance], np.nan)
    return table.assign(on_front=pareto_front(fd, table["acd"].to_numpy(dtype=float)))


def choose(
    leaderboard: pd.DataFrame,
    rule: str,
    fd_at_most: float | None,
    distance: Distance = "fd_lenet",
) -> tuple[str, str]:
    """The name of the generator that a rule chooses, and the rule in words.

    A generator without borderline images comes last, unless it is named: it has no prototypes. A
    baseline is chosen only by name, or where all generators are baselines.

    Raises:
        BorderlineError: When the rule is neither one of ``RULES`` nor the name of a generator.
    """
    generators = generators_of(leaderboard)
    if rule in set(generators["source"]):
        return rule, "named in metrics.choose"
    if rule not in RULES:
        raise BorderlineError(
            f"metrics.choose is {rule!r}: choose one of {', '.join(RULES)}, or a generator of "
            f"grid.generators ({', '.join(generators['source'])})."
        )
    candidates = candidates_of(leaderboard)
    useful = candidates[candidates["borderline"] > 0]
    name, words = _by_rule(useful if len(useful) else candidates, rule, fd_at_most, distance)
    if is_baseline(candidates).all():
        words = f"{words}; all generators are baselines"
    elif useful.empty and (generators["borderline"] > 0).any():
        words = f"{words}; only baselines have borderline images"
    return name, words


def _by_rule(
    candidates: pd.DataFrame, rule: str, fd_at_most: float | None, distance: Distance
) -> tuple[str, str]:
    candidates = candidates.reset_index(drop=True)
    fd = candidates[distance].to_numpy(dtype=float)
    acd = candidates["acd"].to_numpy(dtype=float)
    if rule == "max_yield":
        by = ["yield", f"{distance}_borderline", "acd"]
        best = candidates.sort_values(by, ascending=[False, True, True], kind="stable").iloc[0]
        return str(best["source"]), "highest yield"
    if np.isnan(fd).all():
        return _lowest(candidates, "acd"), f"lowest ACD, because no {distance} is known"
    if rule == "min_acd":
        assert fd_at_most is not None, "checked with the settings"
        within = candidates[fd <= fd_at_most]
        if len(within) == 0:
            words = f"lowest {distance}, because none is at most {fd_at_most:g}"
            return _lowest(candidates, distance), words
        return _lowest(within, "acd"), f"lowest ACD where {distance} is at most {fd_at_most:g}"
    at = knee(fd, acd)
    assert at is not None, "at least one distance is known"
    if acd[at] == acd[pareto_front(fd, acd)].min():
        words = f"lowest ACD, because the front of {distance} and ACD has no knee"
    else:
        words = f"knee of the front of {distance} and ACD"
    return str(candidates["source"][at]), words


def generators_of(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The rows of the generators, without the floor."""
    return leaderboard[leaderboard["source"] != REAL]


def candidates_of(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The rows of the generators that a rule may choose: no baseline, if there is any other."""
    generators = generators_of(leaderboard)
    others = generators[~is_baseline(generators)]
    return others if len(others) else generators


def is_baseline(table: pd.DataFrame) -> pd.Series[bool]:
    """Whether each row is that of a baseline."""
    return table.get("baseline", pd.Series("", index=table.index)) != ""


def _lowest(candidates: pd.DataFrame, column: str) -> str:
    return str(candidates.sort_values(column, kind="stable")["source"].iloc[0])

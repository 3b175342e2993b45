"""One row a generator, the floor beside them, and the rule that picks one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from borderline.errors import BorderlineError
from borderline.pipelines.metrics.comparison import REAL, measure_name
from borderline.pipelines.metrics.front import knee, pareto_front

RULES = ("knee", "min_acd", "max_yield")

DECIDING = "fd_lenet"
"""The Fréchet distance that front and rules go by: epochs have no other."""

# Of the comparisons, what the leaderboard shows; the rest is in the table `realism`.
_SHOWN_OF_BORDERLINE = ("precision", "density", "coverage", "vendi", "near_duplicates")
_GROUPS = {
    ("all", "real"): "",
    ("borderline", "real"): "_borderline",
    ("borderline", "real borderline"): "_to_borderline",
}


def lay_out_leaderboard(scores: pd.DataFrame, realism: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard before the choice.

    Args:
        scores: One row for each generator and for the real images, with a column ``source``.
        realism: As ``compare`` gives it, of all comparisons.

    Returns:
        The scores with the headline figures of the comparisons at equal N: a column for the figure,
        ``_low`` and ``_high`` for its interval, ``_n`` for N. ``on_front`` marks the generators
        that no other finished one beats in both ``fd_lenet`` and ACD.
    """
    table = scores
    for (images, against), suffix in _GROUPS.items():
        group = realism[(realism["images"] == images) & (realism["against"] == against)]
        shown = [measure_name("fd", judge) for judge in group["judge"].unique()]
        if suffix == "_borderline":
            shown += [measure_name(measure, "lenet") for measure in _SHOWN_OF_BORDERLINE]
        for name in shown:
            figures = group[group["measure"] == name].set_index("source")
            columns = {"value": f"{name}{suffix}"}
            columns |= {end: f"{name}{suffix}_{end}" for end in ("low", "high", "n")}
            table = table.join(figures[list(columns)].rename(columns=columns), on="source")
    generators = (table["source"] != REAL).to_numpy()
    fd = np.where(generators, table[DECIDING], np.nan)
    return table.assign(on_front=pareto_front(fd, table["acd"].to_numpy(dtype=float)))


def choose(leaderboard: pd.DataFrame, rule: str, fd_at_most: float | None) -> tuple[str, str]:
    """The generator that a rule picks.

    But for a named one, generators without any borderline image come last, for nothing can follow
    from them.

    Args:
        leaderboard: As ``lay_out_leaderboard`` gives it; at least one generator.
        rule: One of ``RULES``, or the name of a generator.
        fd_at_most: The bound of ``min_acd``.

    Returns:
        The generator's name, and the rule in words.

    Raises:
        BorderlineError: When the rule is neither.
    """
    generators = leaderboard[leaderboard["source"] != REAL]
    if rule in set(generators["source"]):
        return rule, "named in metrics.choose"
    if rule not in RULES:
        raise BorderlineError(
            f"metrics.choose is {rule!r}: choose one of {', '.join(RULES)}, or a generator of "
            f"grid.generators ({', '.join(generators['source'])})."
        )
    useful = generators[generators["borderline"] > 0]
    candidates = (useful if len(useful) else generators).reset_index(drop=True)
    fd = candidates[DECIDING].to_numpy(dtype=float)
    acd = candidates["acd"].to_numpy(dtype=float)
    if rule == "max_yield":
        by = ["yield", f"{DECIDING}_borderline", "acd"]
        best = candidates.sort_values(by, ascending=[False, True, True], kind="stable").iloc[0]
        return str(best["source"]), "highest yield"
    if np.isnan(fd).all():
        return _lowest(candidates, "acd"), f"lowest ACD, for no {DECIDING} is known"
    if rule == "min_acd":
        assert fd_at_most is not None, "checked with the settings"
        within = candidates[fd <= fd_at_most]
        if len(within) == 0:
            words = f"lowest {DECIDING}, for none is at most {fd_at_most:g}"
            return _lowest(candidates, DECIDING), words
        return _lowest(within, "acd"), f"lowest ACD where {DECIDING} is at most {fd_at_most:g}"
    at = knee(fd, acd)
    assert at is not None, "some distance is known"
    lowest = acd[at] == acd[pareto_front(fd, acd)].min()
    where = ", which bulges nowhere: its lowest ACD" if lowest else ""
    return str(candidates["source"][at]), f"knee of the front of {DECIDING} and ACD{where}"


def _lowest(candidates: pd.DataFrame, column: str) -> str:
    return str(candidates.sort_values(column, kind="stable")["source"].iloc[0])

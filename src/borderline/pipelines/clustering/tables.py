"""The tables of the search: its trials, and the best of each combination."""

from __future__ import annotations

from typing import Any

import pandas as pd

from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.recipe import RECIPE_COLUMNS
from borderline.pipelines.clustering.scores import SCORES

TRIAL_COLUMNS = ("trial", "state", *RECIPE_COLUMNS[:2], *SCORES, *RECIPE_COLUMNS[2:], "seconds")
COMBINATION_COLUMNS = (*RECIPE_COLUMNS[:2], "trials", *SCORES, *RECIPE_COLUMNS[2:], "note")


def no_trials() -> pd.DataFrame:
    """The table of no trials."""
    return pd.DataFrame(columns=list(TRIAL_COLUMNS))


def best_first(trials: pd.DataFrame) -> pd.DataFrame:
    """The rows that have an objective, best first; equal ones in their order."""
    ranked = trials.sort_values("objective", ascending=False, kind="stable")
    return ranked[ranked["objective"].notna()]


def combinations(trials: pd.DataFrame, params: ClusteringParams) -> pd.DataFrame:
    """The best row of each combination of a reduction and a clustering, best first.

    Combinations without clusters have a ``note`` instead of scores.
    """
    rows = []
    for reduction in params.reductions:
        for clustering in params.clusterings:
            kinds = {"reduction": reduction, "clustering": clustering}
            tried = trials[
                (trials["reduction"] == reduction) & (trials["clustering"] == clustering)
            ]
            ranked = best_first(tried)
            best: dict[Any, Any] = ranked.iloc[0].to_dict() if len(ranked) else {}
            reasons = tried["state"].drop_duplicates().tolist()
            note = "" if best else "; ".join(reasons) or "not tried yet"
            rows.append({**best, **kinds, "trials": len(tried), "note": note})
    table = pd.DataFrame(rows, columns=list(COMBINATION_COLUMNS))
    return table.sort_values("objective", ascending=False, kind="stable", ignore_index=True)

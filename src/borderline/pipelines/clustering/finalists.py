"""The best recipes of a search, fitted in full, and the choice of one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from borderline.params import RunParams
from borderline.pipelines.clustering.neighbours import neighbours_of
from borderline.pipelines.clustering.params import ClusteringParams, StabilityParams
from borderline.pipelines.clustering.recipe import RECIPE_COLUMNS, ClusterModel, Recipe
from borderline.pipelines.clustering.scores import SCORES, Scorer
from borderline.pipelines.clustering.stability import STABILITY_SCORES, Stability, measure_stability
from borderline.pipelines.clustering.tables import best_first

Finalist = tuple[ClusterModel, dict[str, Any]]
"""Clusters and their scores."""

_COLUMNS = ("recipe", "chosen", "trial", "searched", *SCORES, *STABILITY_SCORES, *RECIPE_COLUMNS)


def fit_finalists(
    trials: pd.DataFrame, embeddings: np.ndarray, params: ClusteringParams, run: RunParams
) -> list[Finalist]:
    """Fit the best recipes of a search in full; best first, without degenerate ones.

    The search uses a short UMAP, which may flatter a recipe, so the ranking is by the full fit.
    """
    ranked = best_first(trials)
    if ranked.empty:  # as there may be no image at all
        return []
    neighbours = neighbours_of(embeddings, params, run)
    scorer = Scorer(embeddings, params, run.seed_for("scored images"))
    fitted: list[Finalist] = []
    for _, row in ranked.iterrows():
        if len(fitted) == params.finalists:
            break
        model = Recipe.of_row(row).fit(embeddings, neighbours, params.epochs, run)
        if model is None:
            continue
        with threadpool_limits(1):
            scores = scorer.in_space(model.points).all(model.clusters)
        if not math.isnan(float(scores["objective"])):
            fitted.append((model, {"trial": row["trial"], "searched": row["objective"], **scores}))
    return sorted(fitted, key=lambda finalist: -finalist[1]["objective"])


def choose(
    finalists: Sequence[Finalist], params: StabilityParams, run: RunParams
) -> tuple[dict[str, str], pd.DataFrame, pd.DataFrame]:
    """Choose the first stable finalist, or where none is, the most stable one.

    Returns:
        The recipe with a ``doubt`` where it is not stable, empty for no finalists; the table of the
        finalists; and the stability of each cluster of the chosen one.
    """
    rows: list[dict[str, Any]] = []
    stabilities: list[Stability] = []
    stable = False
    for model, scores in finalists:
        row: dict[str, Any] = {"recipe": str(model.recipe), "chosen": False, **scores}
        if not stable:
            stabilities.append(measure_stability(model, params, run))
            row |= stabilities[-1].as_row()
            stable = params.least is None or row["ari_resamples"] >= params.least
        rows.append(row | model.recipe.as_row())
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    columns = ["cluster", "stability"]
    if not rows:
        return {}, table, pd.DataFrame(columns=columns)
    chosen = len(stabilities) - 1 if stable else int(table["ari_resamples"].argmax())
    table.loc[chosen, "chosen"] = True
    doubt = "" if stable else _unstable(len(rows), table["ari_resamples"][chosen], params)
    recipe = {name: str(table[name][chosen]) for name in RECIPE_COLUMNS}
    of_clusters = pd.DataFrame(enumerate(stabilities[chosen].of_clusters), columns=columns)
    return recipe | {"note": "", "doubt": doubt}, table, of_clusters


def _unstable(finalists: int, ari: float, params: StabilityParams) -> str:
    return (
        f"none of the {finalists} best recipes is stable: the best of them has an adjusted Rand "
        f"index of {ari:.2f} over resamples (clustering.stability.least is {params.least})"
    )

"""The best recipes of a search: full fits, stability over seeds and resamples, and the choice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import NOISE
from borderline.pipelines.clustering.params import (
    ClusteringParams,
    ReproducibilityParams,
    StabilityParams,
)
from borderline.pipelines.clustering.pool import Groups
from borderline.pipelines.clustering.recipe import RECIPE_COLUMNS, ClusterModel, Recipe
from borderline.pipelines.clustering.reductions import neighbours_of
from borderline.pipelines.clustering.scores import SCORES, Scorer, more_scores
from borderline.pipelines.clustering.search import best_first
from borderline.threads import side_by_side

Finalist = tuple[ClusterModel, dict[str, Any]]
"""Clusters and their scores."""

STABILITY_SCORES = ("ari_seeds", "ari_resamples", "ari_resamples_low", "ari_resamples_high")
_COLUMNS = ("recipe", "chosen", "trial", "searched", *SCORES, *STABILITY_SCORES, *RECIPE_COLUMNS)


def fit_finalists(
    trials: pd.DataFrame,
    embeddings: np.ndarray,
    params: ClusteringParams,
    run: RunParams,
    groups: Groups | None = None,
) -> list[Finalist]:
    """Fit the best recipes of a search in full; best first, without degenerate ones.

    ``groups`` are the embeddings of each generator and GAN.

    The search uses a short UMAP, which may flatter a recipe, so the ranking is by the full fit.
    """
    ranked = best_first(trials)
    if ranked.empty:  # as there may be no image at all
        return []
    neighbours = neighbours_of(embeddings, params)
    scorer = Scorer(embeddings, params, run.seed_for("scored images"), groups)
    fitted: list[Finalist] = []
    for _, row in ranked.iterrows():
        if len(fitted) == params.finalists:
            break
        model = Recipe.of_row(row).fit(embeddings, neighbours, params, run)
        if model is None:
            continue
        with threadpool_limits(1):
            scores = scorer.in_space(model.points).all(model.clusters)
        if not math.isnan(float(scores["objective"])):
            fitted.append((model, {"trial": row["trial"], "searched": row["objective"], **scores}))
    return sorted(fitted, key=lambda finalist: -finalist[1]["objective"])


@dataclass(frozen=True)
class Stability:
    """Agreement of clusters with those of repeated fits.

    Attributes:
        over_seeds: Adjusted Rand index with the clusters of each other seed, shape (S,).
        over_resamples: The same for each bootstrap resample, on its images, shape (B,).
        jaccard: Jaccard similarity of each cluster with its best match in each resample, shape
            (B, clusters); NaN where the resample has no image of the cluster.
    """

    over_seeds: np.ndarray
    over_resamples: np.ndarray
    jaccard: np.ndarray

    @property
    def of_clusters(self) -> np.ndarray:
        """The mean Jaccard similarity of each cluster in [0, 1], shape (clusters,).

        Above .75 a cluster is stable, below .6 it should not be trusted (Hennig 2007).
        """
        return np.asarray(np.nanmean(self.jaccard, axis=0))

    def as_row(self) -> dict[str, float]:
        """By ``STABILITY_SCORES``: both means, and the range of 95 % of the resamples."""
        ends = np.quantile(self.over_resamples, [0.025, 0.975])
        values = (self.over_seeds.mean(), self.over_resamples.mean(), *ends)
        return {name: float(value) for name, value in zip(STABILITY_SCORES, values, strict=True)}


def measure_stability(model: ClusterModel, params: StabilityParams, run: RunParams) -> Stability:
    """Fit a recipe again with other seeds and on bootstrap resamples (Hennig 2007).

    Repeated images are dropped from a resample, because identical images would form a cluster. A
    resample thus has about 63 % of the images. Every fit uses at most ``params.images`` of them.
    Noise counts as a cluster in the adjusted Rand index.
    """
    images, labels = np.arange(len(model.embeddings)), model.clusters.labels
    samples: list[np.ndarray] = []
    for number in range(1, params.seeds + 1):
        random = np.random.default_rng(run.seed_for("other seed", number))
        samples.append(np.sort(random.permutation(images)[: params.images]))
    for number in range(params.resamples):
        random = np.random.default_rng(run.seed_for("resample", number))
        drawn = np.unique(random.choice(images, len(images)))
        samples.append(np.sort(random.permutation(drawn)[: params.images]))

    def refit(attempt: int) -> np.ndarray:
        rows = samples[attempt - 1]
        refitted = model.refit(model.embeddings[rows], run, attempt)
        return np.full(len(rows), NOISE) if refitted is None else refitted.clusters.labels

    refits = side_by_side(refit, range(1, len(samples) + 1), model.recipe.reduction.threads)
    pairs = [(labels[rows], refitted) for rows, refitted in zip(samples, refits, strict=True)]
    agreements = np.array([adjusted_rand_score(*pair) for pair in pairs])
    clusters = len(model.clusters.order)
    similarities = [best_matches(*pair, clusters) for pair in pairs[params.seeds :]]
    return Stability(agreements[: params.seeds], agreements[params.seeds :], np.array(similarities))


def best_matches(labels: np.ndarray, others: np.ndarray, clusters: int) -> np.ndarray:
    """The Jaccard similarity of each cluster with the most similar one of another clustering.

    Both label the same images (N,), -1 for noise; NaN for one of the ``clusters`` without images.
    """
    # One more row and column, for noise.
    shared = np.zeros((clusters + 1, max(others.max(initial=NOISE), 0) + 2))
    np.add.at(shared, (labels, others), 1)
    together = shared.sum(1, keepdims=True) + shared.sum(0) - shared
    with np.errstate(invalid="ignore"):  # where neither has images
        similarity = np.nan_to_num(shared / together)[:-1, :-1].max(1)
    return np.where(shared[:-1].any(1), similarity, np.nan)


def choose(
    finalists: Sequence[Finalist], params: ClusteringParams, run: RunParams
) -> tuple[dict[str, str], pd.DataFrame, pd.DataFrame]:
    """Choose the first stable finalist, or the most stable one with a ``doubt``.

    With the objective ``reproducibility``, the recipe has the reason to call the images a
    ``continuum``, empty if there is none.

    The recipe, the table of the finalists and that of its clusters are empty for no finalists.
    """
    rows: list[dict[str, Any]] = []
    stabilities: list[Stability] = []
    stable, least = False, params.stability.least
    for model, scores in finalists:
        row: dict[str, Any] = {"recipe": str(model.recipe), "chosen": False, **scores}
        if not stable:
            stabilities.append(measure_stability(model, params.stability, run))
            row |= stabilities[-1].as_row()
            stable = least is None or row["ari_resamples"] >= least
        rows.append(row | model.recipe.as_row())
    table = pd.DataFrame(rows, columns=[*_COLUMNS, *more_scores(params)])
    columns = ["cluster", "stability"]
    if not rows:
        return {}, table, pd.DataFrame(columns=columns)
    chosen = len(stabilities) - 1 if stable else int(table["ari_resamples"].argmax())
    table.loc[chosen, "chosen"] = True
    unstable = (
        f"none of the {len(rows)} best recipes is stable: the best of them has an adjusted Rand "
        f"index of {table['ari_resamples'][chosen]:.2f} over resamples "
        f"(clustering.stability.least is {least})"
    )
    recipe = {name: str(table[name][chosen]) for name in RECIPE_COLUMNS}
    if params.objective == "reproducibility":
        recipe["continuum"] = _no_number(rows[chosen], params.reproducibility)
    of_clusters = pd.DataFrame(enumerate(stabilities[chosen].of_clusters), columns=columns)
    return recipe | {"note": "", "doubt": "" if stable else unstable}, table, of_clusters


def _no_number(best: Mapping[str, Any], limits: ReproducibilityParams) -> str:
    """Why no number of clusters is reproducible; empty if the best finalist is."""
    if best["objective"] > 1:
        return ""
    strength = f"prediction strength {best['prediction_strength']:.2f}"
    if not best["prediction_strength"] >= limits.least:
        return f"no number of clusters is found again in other images (at best {strength})"
    found = f"{best['clusters']:.0f} clusters are found again in other images ({strength}), but"
    generators, valley = best["strength_over_generators"], best["valley"]
    if generators < limits.least:
        return f"{found} not without one of the generators (prediction strength {generators:.2f})"
    if best["clusters"] - best["artefact_clusters"] < 2:
        return f"{found} at most one of them is not an artefact of one generator or GAN"
    if pd.isna(valley):
        return f"{found} they have too few images to tell whether they are separate"
    return f"{found} they are not separate (density between them: {valley:.2f} of that in them)"

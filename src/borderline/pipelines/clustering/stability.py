"""Stability of clusters over other seeds and bootstrap resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import NOISE
from borderline.pipelines.clustering.params import StabilityParams
from borderline.pipelines.clustering.recipe import ClusterModel

STABILITY_SCORES = ("ari_seeds", "ari_resamples", "ari_resamples_low", "ari_resamples_high")


@dataclass(frozen=True)
class Stability:
    """Agreement of clusters with those of repeated fits.

    Attributes:
        over_seeds: Adjusted Rand index with the clusters of each other seed, shape (S,).
        over_resamples: The same with those of each bootstrap resample, on its images, shape (B,).
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
        values = (
            self.over_seeds.mean(),
            self.over_resamples.mean(),
            *np.quantile(self.over_resamples, [0.025, 0.975]),
        )
        return {name: float(value) for name, value in zip(STABILITY_SCORES, values, strict=True)}


def measure_stability(model: ClusterModel, params: StabilityParams, run: RunParams) -> Stability:
    """Fit a recipe again with other seeds and on bootstrap resamples (Hennig 2007).

    Repeated images are dropped from a resample, because identical images would form a cluster. A
    resample thus has about 63 % of the images. Every fit uses at most ``params.images`` of them.
    Noise counts as a cluster in the adjusted Rand index.
    """
    everything, labels = np.arange(len(model.embeddings)), model.clusters.labels
    seeds, resamples, similarities = [], [], []
    for number in range(1, params.seeds + 1):
        random = np.random.default_rng(run.seed_for("other seed", number))
        rows = np.sort(random.permutation(everything)[: params.images])
        seeds.append(adjusted_rand_score(labels[rows], _refitted(model, rows, number, run)))
    for number in range(params.resamples):
        random = np.random.default_rng(run.seed_for("resample", number))
        drawn = np.unique(random.choice(everything, len(everything)))
        rows = np.sort(random.permutation(drawn)[: params.images])
        refitted = _refitted(model, rows, params.seeds + 1 + number, run)
        resamples.append(adjusted_rand_score(labels[rows], refitted))
        similarities.append(best_matches(labels[rows], refitted, len(model.clusters.order)))
    return Stability(np.array(seeds), np.array(resamples), np.array(similarities))


def best_matches(labels: np.ndarray, others: np.ndarray, clusters: int) -> np.ndarray:
    """The Jaccard similarity of each cluster with the most similar one of another clustering.

    Both label the same images (N,), -1 for noise; NaN for one of the ``clusters`` without images.
    """
    similarity = np.full(clusters, np.nan)
    candidates = [others == other for other in np.unique(others[others != NOISE])]
    for cluster in range(clusters):
        members = labels == cluster
        if members.any():
            shares = [(members & other).sum() / (members | other).sum() for other in candidates]
            similarity[cluster] = max(shares, default=0.0)
    return similarity


def _refitted(model: ClusterModel, rows: np.ndarray, attempt: int, run: RunParams) -> np.ndarray:
    refitted = model.again(model.embeddings[rows], run, attempt)
    return np.full(len(rows), NOISE) if refitted is None else refitted.clusters.labels

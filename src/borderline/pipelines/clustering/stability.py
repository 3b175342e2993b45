"""Would the same patterns be found again, with other seeds and other images?"""

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
    """How much of the clusters comes back.

    Attributes:
        over_seeds: Adjusted Rand index with the clusters of each other seed, shape (S,).
        over_resamples: The same with those of each bootstrap resample, on its images, shape (B,).
        jaccard: Of each cluster with its likest one in each resample, shape (B, clusters); NaN
            where the resample has none of its images.
    """

    over_seeds: np.ndarray
    over_resamples: np.ndarray
    jaccard: np.ndarray

    @property
    def of_clusters(self) -> np.ndarray:
        """The mean Jaccard similarity of each cluster in [0, 1], shape (clusters,).

        Hennig (2007) calls clusters above .75 stable, and those below .6 nothing to trust.
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
    """Follow a recipe again with other seeds and on bootstrap resamples (Hennig 2007).

    Repetitions are left out of a resample: an image beside itself is no neighbourhood, and would
    be a cluster of its own. A resample thus has about 63 % of the images, or a random part of
    these where they are more than ``images``; so are the images of the other seeds. Noise counts
    as a cluster in the adjusted Rand index.

    Args:
        model: The clusters that are doubted.
        params: How often.
        run: The seed.
    """
    everything, labels = np.arange(len(model.embeddings)), model.clusters.labels
    seeds, resamples, similarities = [], [], []
    for number in range(1, params.seeds + 1):
        random = np.random.default_rng(run.seed_for("other seed", number))
        rows = np.sort(random.permutation(everything)[: params.images])
        seeds.append(adjusted_rand_score(labels[rows], _again(model, rows, number, run)))
    for number in range(params.resamples):
        random = np.random.default_rng(run.seed_for("resample", number))
        drawn = np.unique(random.choice(everything, len(everything)))
        rows = np.sort(random.permutation(drawn)[: params.images])
        found = _again(model, rows, params.seeds + 1 + number, run)
        resamples.append(adjusted_rand_score(labels[rows], found))
        similarities.append(likest(labels[rows], found, len(model.clusters.order)))
    return Stability(np.array(seeds), np.array(resamples), np.array(similarities))


def likest(labels: np.ndarray, others: np.ndarray, clusters: int) -> np.ndarray:
    """The Jaccard similarity of each cluster with the likest one of another clustering.

    Args:
        labels: Shape (N,), from 0; -1 for noise.
        others: Of the same images, shape (N,).
        clusters: How many clusters the first labels are of, some perhaps absent here.

    Returns:
        Values in [0, 1], shape (clusters,); NaN for a cluster that is absent.
    """
    found = np.full(clusters, np.nan)
    theirs = [others == other for other in np.unique(others[others != NOISE])]
    for cluster in range(clusters):
        own = labels == cluster
        if own.any():
            shares = [(own & other).sum() / (own | other).sum() for other in theirs]
            found[cluster] = max(shares, default=0.0)
    return found


def _again(model: ClusterModel, rows: np.ndarray, attempt: int, run: RunParams) -> np.ndarray:
    found = model.again(model.embeddings[rows], run, attempt)
    return np.full(len(rows), NOISE) if found is None else found.clusters.labels

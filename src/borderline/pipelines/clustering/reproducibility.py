"""The number of clusters that is found again, and the valleys between clusters.

Three questions decide whether clusters exist. Does another half of the images give the same
clusters? Do the images of all generators but one give them too? Are there fewer images between two
clusters than in them? The first alone does not do: halves of one bent or long cloud are cut at the
same place, again and again.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import gaussian_kde
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from borderline.pipelines.clustering.clusterings import NOISE, Clustering
from borderline.pipelines.clustering.pool import Groups, find_artefacts

_GRID = 400
# A part of a cluster has at least so many images.
_FEWEST_IN_PART = 8
_NEAREST_PARTS = 2
# With fewer images a cluster, the other generators cannot tell.
_FEWEST_OF_OTHERS = 25


def prediction_strength(labels: np.ndarray, predicted: np.ndarray) -> float:
    """The prediction strength of clusters, in [0, 1] (Tibshirani and Walther 2005, eq. 2.1).

    For each cluster the share of its pairs that the other clustering puts together too; the
    smallest share of all clusters.

    Args:
        labels: The clusters of some images, (N,).
        predicted: The clusters that the model of other images assigns to them, (N,).
    """
    shares = []
    for cluster in np.unique(labels[labels != NOISE]):
        together = np.unique(predicted[labels == cluster], return_counts=True)[1]
        size = together.sum()
        pairs = size * (size - 1)
        shares.append((together * (together - 1)).sum() / pairs if pairs else 0.0)
    return float(min(shares, default=math.nan))


def strength_over_halves(
    points: np.ndarray, clustering: Clustering, splits: int, seed: int, least: float = 0.0
) -> float:
    """The mean prediction strength of a clustering over random halves of points (N, d).

    Each half is clustered, and assigned to the clusters of the other half. NaN where a half has no
    clusters. It ends early, with the mean until then, where the mean cannot reach ``least`` any
    more.
    """
    random, values = np.random.default_rng(seed), []
    for split in range(splits):
        order = random.permutation(len(points))
        halves = [points[rows] for rows in np.array_split(order, 2)]
        fits = [clustering.fit(half, seed + split) for half in halves]
        if fits[0] is None or fits[1] is None:
            return math.nan
        for this, other in ((0, 1), (1, 0)):
            assigned, _ = fits[other].assign(halves[this])  # type: ignore[union-attr]
            values.append(prediction_strength(fits[this].labels, assigned))  # type: ignore[union-attr]
        if sum(values) + 2 * splits - len(values) < 2 * splits * least:
            break
    return float(np.mean(values))


def strength_over_generators(
    points: np.ndarray,
    labels: np.ndarray,
    clustering: Clustering,
    groups: Groups,
    artefact: float,
    seed: int,
) -> float:
    """The least prediction strength of clusters when a generator or a GAN is left out.

    The images of all others are clustered, into as many clusters as are not an artefact of the one
    left out, and all images of these clusters are assigned to them. NaN without groups, and where
    none leaves enough images of the others.

    Args:
        points: Points (N, d).
        labels: Their clusters, (N,).
        clustering: Gives the clusters.
        groups: The rows of each generator and of each GAN.
        artefact: The share of ``find_artefacts``.
        seed: Of the clusterings.
    """
    strengths = []
    for name, rows in groups.items():
        own = list(find_artefacts(labels, {name: rows}, artefact))
        number = len(np.unique(labels[labels != NOISE])) - len(own)
        if number < 2:
            strengths.append(1.0)
            continue
        if (~rows).sum() < number * _FEWEST_OF_OTHERS:
            continue
        others = clustering.of_number(number).fit(points[~rows], seed)
        if others is None:
            continue
        kept = ~np.isin(labels, own)
        assigned, _ = others.assign(points[kept])
        strengths.append(prediction_strength(labels[kept], assigned))
    return min(strengths, default=math.nan)


def shallowest_valley(points: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """The relative density in the shallowest valley between two clusters: 0 is a gap, 1 no valley.

    Each cluster of points (N, d) with labels (N,) is cut into two parts. Between each part and the
    nearest parts of other clusters, the density along their linear discriminant is compared: its
    minimum between the two medians, relative to the lower one of the two peaks beside it. Parts
    rather than clusters, because the two ends of a bent cloud are far from each other although the
    cloud is connected. NaN where there is only one cluster.
    """
    parts, clusters = [], []
    for cluster in np.unique(labels[labels != NOISE]):
        members = points[labels == cluster]
        halves = np.zeros(len(members), dtype=np.int64)
        if len(members) >= 2 * _FEWEST_IN_PART:
            halves = KMeans(2, n_init=3, random_state=seed).fit_predict(members)
        for half in np.unique(halves):
            if (halves == half).sum() >= _FEWEST_IN_PART:
                parts.append(members[halves == half])
                clusters.append(cluster)
    centres, owners = np.array([part.mean(0) for part in parts]), np.array(clusters)
    valleys = []
    for number, part in enumerate(parts):
        gaps = np.linalg.norm(centres - centres[number], axis=1)
        gaps[owners == owners[number]] = np.inf
        for other in np.argsort(gaps, kind="stable")[:_NEAREST_PARTS]:
            if np.isfinite(gaps[other]):
                valleys.append(_valley(part, parts[other]))
    return max(valleys, default=math.nan)


def _valley(first: np.ndarray, second: np.ndarray) -> float:
    """The relative density between two groups of points, along their linear discriminant."""
    both = np.concatenate([first, second])
    of_second = np.arange(len(both)) >= len(first)
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(both, of_second)
    along = both @ discriminant.coef_[0]
    spread = along.std()
    if spread == 0:
        return 1.0
    along = (along - along.mean()) / spread
    places = np.linspace(along.min(), along.max(), _GRID)
    density = gaussian_kde(along)(places)
    middles = sorted((np.median(along[~of_second]), np.median(along[of_second])))
    start, end = np.searchsorted(places, middles)
    lowest = start + density[start : end + 1].argmin()
    peaks = density[: lowest + 1].max(), density[lowest:].max()
    return float(density[lowest] / min(peaks))

"""How well a few images stand for many: every measure of the validation.

Prototypes are judged by how they represent *the others*: an image never stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import pdist

from borderline.pipelines.prototypes.choosing.candidates import (
    NOISE,
    Candidates,
    cosine_distances,
    directions,
)

BETTER = {
    "cosine_similarity": "lower",
    "euclidean_distance": "higher",
    "coverage_area": "higher",
    "facility_location": "higher",
    "dispersion": "higher",
    "precision": "higher",
    "stability": "higher",
}
"""The measures, and where the better end of each is."""

RANGES = {name: (0.0, 1.0) for name in BETTER} | {
    "cosine_similarity": (-1.0, 1.0),
    "euclidean_distance": (0.0, np.inf),
    "facility_location": (-1.0, 1.0),
    "dispersion": (0.0, np.inf),
    "stability": (-1.0, 1.0),
}
"""What the measures can be."""


class Chosen(NamedTuple):
    """Images that are to stand for others.

    Attributes:
        embeddings: Shape (K, D).
        labels: The clusters that they are of, shape (K,); -1 for none.
        places: Where they are in the 2D map, shape (K, 2).
        rows: Their rows among the others, shape (K,); None for images from elsewhere.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    rows: np.ndarray | None


@dataclass(frozen=True)
class Audience:
    """The images that are to be stood for.

    Attributes:
        candidates: The images.
        places: Where they are in the 2D map, shape (n, 2).
        radius: The largest radius of the coverage curve, a cosine distance.
        spread: The mean distance of two of them in the 2D map.
    """

    candidates: Candidates
    places: np.ndarray
    radius: float
    spread: float

    @classmethod
    def of(cls, candidates: Candidates, places: np.ndarray) -> Self:
        """All candidates; the scales are those of a pair of them: median and mean distance."""
        others = candidates.cosine_distances[np.triu_indices(len(candidates), 1)]
        return cls(
            candidates,
            places,
            float(np.median(others)) if len(others) else 0.0,
            float(pdist(places).mean()) if len(places) > 1 else 0.0,
        )

    def rows(self, rows: np.ndarray) -> Self:
        """Some of the images, on the scales of all."""
        parts = self.candidates.rows(rows), self.places[rows]
        return type(self)(*parts, self.radius, self.spread)

    def relabelled(self, labels: np.ndarray) -> Self:
        """The same images with other clusters, shape (n,)."""
        return replace(self, candidates=self.candidates.relabelled(labels))

    def chosen(self, rows: np.ndarray) -> Chosen:
        """Images of the audience that are to stand for the rest."""
        own = self.candidates
        return Chosen(own.embeddings[rows], own.labels[rows], self.places[rows], rows)


def measure(chosen: Chosen, audience: Audience) -> dict[str, float]:
    """Every measure but the stability, which takes other runs.

    - ``cosine_similarity``: the mean of all pairs of prototypes, in the model's embedding; what the
      reference of Gomes et al. 2024 calls average pairwise distance. Lower is more diverse.
    - ``euclidean_distance``: the same mean of the distances.
    - ``coverage_area``: the area under the coverage curve from radius 0 to the median cosine
      distance of two images, as a share: 1 where every image has a prototype at distance 0.
    - ``facility_location``: the mean over the images of the cosine similarity with the prototype
      that each is most similar to.
    - ``dispersion``: the mean distance of two prototypes in the 2D map, as a multiple of that of
      two images.
    - ``precision``: macro-averaged over the clusters, of the classifier that gives each image the
      cluster of its nearest prototype. Images without a cluster do not count.

    Args:
        chosen: The prototypes, K of them.
        audience: What they are to stand for.

    Returns:
        The values by name; NaN where one is not defined, as a pairwise mean of one prototype is.
    """
    pairs = pdist(chosen.places)
    vectors = directions(chosen.embeddings)
    upper = np.triu_indices(len(vectors), 1)
    values = {
        "cosine_similarity": _mean((vectors @ vectors.T)[upper]),
        "euclidean_distance": _mean(pdist(chosen.embeddings)),
        "dispersion": _mean(pairs) / audience.spread if audience.spread > 0 else np.nan,
    }
    nearest, distance, others = nearest_prototype(chosen, audience)
    if audience.radius > 0:
        values["coverage_area"] = _mean((1 - distance / audience.radius).clip(0))
    else:
        values["coverage_area"] = np.nan
    values["facility_location"] = _mean(1 - distance)
    truth = audience.candidates.labels[others]
    told = chosen.labels[nearest] if len(chosen.labels) else truth[:0]
    kept = truth != NOISE
    values["precision"] = _macro_precision(truth[kept], told[kept]) if len(told) else np.nan
    return {name: float(values[name]) for name in BETTER if name in values}


def nearest_prototype(
    chosen: Chosen, audience: Audience
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The prototype that is nearest to each other image.

    Returns:
        Its number, shape (m,), its cosine distance, shape (m,), and the rows of those other images
        in the audience, shape (m,). All are empty where there is no prototype.
    """
    if len(chosen.embeddings) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64)
    others = np.arange(len(audience.candidates))
    if chosen.rows is not None:
        others = np.delete(others, chosen.rows)
    distances = cosine_distances(
        audience.candidates.directions[others], directions(chosen.embeddings)
    )
    nearest = distances.argmin(1)
    return nearest, distances[np.arange(len(others)), nearest], others


def coverage_curve(chosen: Chosen, audience: Audience, radii: np.ndarray) -> np.ndarray:
    """The share of images whose nearest prototype is nearer than each radius.

    Args:
        chosen: The prototypes.
        audience: What they are to stand for.
        radii: Cosine distances, shape (R,).

    Returns:
        Shares in [0, 1], shape (R,); NaN for no prototypes.
    """
    _, distance, _ = nearest_prototype(chosen, audience)
    if len(distance) == 0:
        return np.full(len(radii), np.nan)
    return np.asarray((distance[:, None] < radii).mean(0))


def matched_similarities(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How similar prototypes are to their partners in another run.

    Partners are found so that the sum of the similarities is largest (the assignment problem).

    Args:
        first: Embeddings, shape (K, D).
        second: Those of the other run, shape (L, D).

    Returns:
        The cosine similarity of each of the first with its partner, shape (K,), NaN for those left
        over where L is smaller; and the partners' numbers, shape (K,), -1 for none.
    """
    similarities = directions(first) @ directions(second).T
    found = np.full(len(first), np.nan)
    rows, columns = linear_sum_assignment(similarities, maximize=True)
    found[rows] = similarities[rows, columns]
    partners = np.full(len(first), -1)
    partners[rows] = columns
    return found, partners


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _macro_precision(truth: np.ndarray, told: np.ndarray) -> float:
    """scikit-learn's, which takes milliseconds where thousands of random choices are measured."""
    clusters = np.unique(truth)
    if len(clusters) == 0:
        return np.nan
    size = int(clusters.max()) + 1
    told_each = np.bincount(told[(told >= 0) & (told < size)], minlength=size)
    right_each = np.bincount(truth[truth == told], minlength=size)
    # A cluster that is never told has precision 0.
    return float((right_each / np.maximum(told_each, 1))[clusters].mean())

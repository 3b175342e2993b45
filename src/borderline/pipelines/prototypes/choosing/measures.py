"""Measures of how well a few prototypes represent many images.

Prototypes are measured by how they represent *the others*: no image represents itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from scipy.spatial.distance import pdist

from borderline.pipelines.prototypes.choosing.candidates import (
    NOISE,
    Candidates,
    cosine_distances,
    directions,
)
from borderline.pipelines.prototypes.choosing.names import BETTER

RANGES = {name: (0.0, 1.0) for name in BETTER} | {
    "cosine_similarity": (-1.0, 1.0),
    "euclidean_distance": (0.0, np.inf),
    "facility_location": (-1.0, 1.0),
    "dispersion": (0.0, np.inf),
    "stability": (-1.0, 1.0),
}
"""The range of each measure."""


class Chosen(NamedTuple):
    """Chosen images that should represent others.

    Attributes:
        embeddings: Shape (K, D).
        labels: Their clusters, shape (K,); -1 for noise.
        places: Coordinates on the UMAP map, shape (K, 2).
        rows: Their rows in the audience, shape (K,); None for images that are not in it.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    rows: np.ndarray | None


@dataclass(frozen=True)
class Audience:
    """The images that the prototypes should represent.

    Attributes:
        places: Coordinates on the UMAP map, shape (n, 2).
        radius: The largest radius of the coverage curve: the median cosine distance of two images.
        spread: The mean distance of two images on the map.
    """

    candidates: Candidates
    places: np.ndarray
    radius: float
    spread: float

    @classmethod
    def of(cls, candidates: Candidates, places: np.ndarray) -> Self:
        """All candidates, with the radius and the spread measured on them."""
        others = candidates.cosine_distances[np.triu_indices(len(candidates), 1)]
        return cls(
            candidates,
            places,
            float(np.median(others)) if len(others) else 0.0,
            float(pdist(places).mean()) if len(places) > 1 else 0.0,
        )

    def rows(self, rows: np.ndarray) -> Self:
        """Some of the images, with the radius and the spread of all."""
        return replace(self, candidates=self.candidates.rows(rows), places=self.places[rows])

    def relabelled(self, labels: np.ndarray) -> Self:
        """The same images with other clusters, shape (n,)."""
        return replace(self, candidates=self.candidates.relabelled(labels))

    def chosen(self, rows: np.ndarray) -> Chosen:
        """Images of the audience that should represent the others."""
        images = self.candidates
        return Chosen(images.embeddings[rows], images.labels[rows], self.places[rows], rows)


def measure(chosen: Chosen, audience: Audience) -> dict[str, float]:
    """All measures except the stability, which needs repeats.

    - ``cosine_similarity``: mean over all pairs of prototypes, in the model's embedding; the code
      of Gomes et al. 2024 calls it average pairwise distance. Lower is more diverse.
    - ``euclidean_distance``: mean distance over all pairs of prototypes, in the embedding.
    - ``coverage_area``: area under the coverage curve from radius 0 to the median cosine distance
      of two images, as a share: 1 where every image has a prototype at distance 0.
    - ``facility_location``: mean over the images of the cosine similarity with the most similar
      prototype.
    - ``dispersion``: mean distance of two prototypes on the UMAP map, as a multiple of the mean
      distance of two images.
    - ``precision``: macro-averaged precision of the classifier that gives each image the cluster
      of its nearest prototype. Noise does not count.

    NaN where one is undefined, such as a pairwise mean of one prototype.
    """
    vectors = directions(chosen.embeddings)
    upper = np.triu_indices(len(vectors), 1)
    nearest, distance, others = nearest_prototype(chosen, audience)
    truth = audience.candidates.labels[others]
    kept = truth != NOISE
    predicted = chosen.labels[nearest]
    spread, radius = audience.spread, audience.radius
    return {
        "cosine_similarity": _mean((vectors @ vectors.T)[upper]),
        "euclidean_distance": _mean(pdist(chosen.embeddings)),
        "coverage_area": _mean((1 - distance / radius).clip(0)) if radius > 0 else np.nan,
        "facility_location": _mean(1 - distance),
        "dispersion": _mean(pdist(chosen.places)) / spread if spread > 0 else np.nan,
        "precision": _macro_precision(truth[kept], predicted[kept]),
    }


def nearest_prototype(
    chosen: Chosen, audience: Audience
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest prototype of each other image: its number, its distance, and the image's row.

    Shape (m,) each; empty where there is no prototype.
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
    """The share of images whose nearest prototype is nearer than each radius, shape (R,).

    The radii (R,) are cosine distances; the shares are NaN without prototypes.
    """
    _, distance, _ = nearest_prototype(chosen, audience)
    if len(distance) == 0:
        return np.full(len(radii), np.nan)
    return np.asarray((distance[:, None] < radii).mean(0))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _macro_precision(truth: np.ndarray, predicted: np.ndarray) -> float:
    """As scikit-learn's, which takes milliseconds; thousands of random choices are measured."""
    clusters = np.unique(truth)
    if len(clusters) == 0:
        return np.nan
    size = int(clusters.max()) + 1
    predictions = np.bincount(predicted[(predicted >= 0) & (predicted < size)], minlength=size)
    hits = np.bincount(truth[truth == predicted], minlength=size)
    # A cluster that is never predicted has precision 0.
    return float((hits / np.maximum(predictions, 1))[clusters].mean())

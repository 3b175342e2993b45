"""Measures of how well a few prototypes represent many images.

Prototypes are measured by how they represent *the others*: no image represents itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from scipy.spatial.distance import pdist, squareform

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
    """Chosen images that should represent others, of one choice or of a batch of choices (...).

    Attributes:
        embeddings: Shape (..., K, D).
        labels: Their clusters, shape (..., K); -1 for noise.
        places: Coordinates on the UMAP map, shape (..., K, 2).
        rows: Their rows in the audience, shape (..., K); None for images that are not in it.
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
        others = squareform(candidates.cosine_distances, checks=False)
        return cls(
            candidates,
            places,
            float(np.median(others, overwrite_input=True)) if len(others) else 0.0,
            float(pdist(places).mean()) if len(places) > 1 else 0.0,
        )

    def rows(self, rows: np.ndarray) -> Self:
        """Some of the images, with the radius and the spread of all."""
        return replace(self, candidates=self.candidates.rows(rows), places=self.places[rows])

    def chosen(self, rows: np.ndarray, labels: np.ndarray | None = None) -> Chosen:
        """Images of the audience that should represent the others, by rows (..., K).

        ``labels`` (B, n) are other clusters of the audience, for each choice of a batch.
        """
        images = self.candidates
        clusters = images.labels[rows] if labels is None else np.take_along_axis(labels, rows, 1)
        return Chosen(images.embeddings[rows], clusters, self.places[rows], rows)


def measure(
    chosen: Chosen, audience: Audience, labels: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """All measures except the stability, which needs repeats: shape (...), as the choices.

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

    Args:
        chosen: The prototypes.
        audience: The images that they represent.
        labels: Other clusters of the audience (B, n), for each choice of a batch.
    """
    *shape, count = chosen.labels.shape
    if count == 0:
        return {name: np.full(shape, np.nan) for name in BETTER if name != "stability"}
    vectors = directions(chosen.embeddings)
    first, second = np.triu_indices(count, 1)
    nearest, distance, others = nearest_prototype(chosen, audience)
    truth = np.broadcast_to(audience.candidates.labels if labels is None else labels, others.shape)
    predicted = np.take_along_axis(chosen.labels, nearest, -1)
    spread, radius = audience.spread, audience.radius
    return {
        "cosine_similarity": _mean((vectors @ vectors.swapaxes(-1, -2))[..., first, second]),
        "euclidean_distance": _mean_gap(chosen.embeddings),
        "coverage_area": _mean((1 - distance / radius).clip(0), others)
        if radius > 0
        else np.full(shape, np.nan),
        "facility_location": _mean(1 - distance, others),
        "dispersion": _mean_gap(chosen.places) / (spread if spread > 0 else np.nan),
        "precision": _macro_precision(truth, predicted, others & (truth != NOISE)),
    }


def nearest_prototype(
    chosen: Chosen, audience: Audience
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest prototype of each image, its distance, and whether the image is another one.

    Shape (..., n) each. There must be a prototype.
    """
    images = audience.candidates
    others = np.ones((*chosen.labels.shape[:-1], len(images)), dtype=bool)
    if chosen.rows is None:
        distances = cosine_distances(directions(chosen.embeddings), images.directions)
    else:
        distances = images.cosine_distances[chosen.rows]
        np.put_along_axis(others, chosen.rows, values=False, axis=-1)
    return distances.argmin(-2), distances.min(-2), others


def coverage_curve(chosen: Chosen, audience: Audience, radii: np.ndarray) -> np.ndarray:
    """The share of images whose nearest prototype is nearer than each radius, shape (R,).

    The radii (R,) are cosine distances; the shares are NaN without prototypes.
    """
    if len(chosen.labels) == 0:
        return np.full(len(radii), np.nan)
    _, distance, others = nearest_prototype(chosen, audience)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.searchsorted(np.sort(distance[others]), radii) / others.sum())


def _mean(values: np.ndarray, kept: np.ndarray | None = None) -> np.ndarray:
    """The mean of the kept values over the last axis; NaN for none."""
    kept = np.ones(values.shape, dtype=bool) if kept is None else kept
    with np.errstate(invalid="ignore"):
        means: np.ndarray = np.where(kept, values, 0).sum(-1) / kept.sum(-1)
    return means


def _mean_gap(points: np.ndarray) -> np.ndarray:
    """The mean Euclidean distance of two points (..., K, D)."""
    first, second = np.triu_indices(points.shape[-2], 1)
    return _mean(np.linalg.norm(points[..., first, :] - points[..., second, :], axis=-1))


def _macro_precision(truth: np.ndarray, predicted: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """As scikit-learn's, for all choices of a batch at once; all arguments (..., n)."""
    clusters = max(int(truth.max(initial=0)), int(predicted.max(initial=0))) + 1
    choices = kept[..., 0].size
    # Each choice counts in a range of its own.
    ranges = (np.arange(choices) * clusters).reshape(*kept.shape[:-1], 1)

    def count(labels: np.ndarray, where: np.ndarray) -> np.ndarray:
        counts = np.bincount((ranges + labels)[where], minlength=choices * clusters)
        return counts.reshape(*kept.shape[:-1], clusters)

    predictions = count(predicted, kept & (predicted != NOISE))
    hits = count(truth, kept & (truth == predicted))
    # A cluster that is never predicted has precision 0.
    return _mean(hits / np.maximum(predictions, 1), count(truth, kept) > 0)

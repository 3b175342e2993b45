"""The sensitivity analysis: images generated and clustered again, with other seeds."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor, nn

from borderline.datasets.image_source import LabelledImages
from borderline.measures.confusion import is_borderline
from borderline.measures.inference import embed
from borderline.params import RunParams
from borderline.sampling import Part, Sampler

# A generator that hits the boundary seldom is asked for at most so many times the images.
_MOST_IN_VAIN = 50
_FEWEST_ASKED = 256


class Labelled(Protocol):
    """Something with a cluster for each image."""

    @property
    def labels(self) -> np.ndarray:
        """Shape (n,), -1 for none."""


class Found(Protocol):
    """What a recipe found in images."""

    @property
    def clusters(self) -> Labelled:
        """The clusters."""

    @property
    def points(self) -> np.ndarray:
        """The images' places in the space that was clustered, shape (n, d)."""


class Clusters(Protocol):
    """Clusters as the stage before leaves them: new images join them, or are clustered anew."""

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels (M,), their probabilities (M,) and places (M, d) of embeddings (M, D)."""

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """How like the clustered images embeddings (M, D) are: a p-value each, shape (M,)."""

    def again(self, embeddings: np.ndarray, run: RunParams, attempt: int) -> Found | None:
        """The clusters that the same recipe finds in other embeddings (M, D)."""


class Repeat(NamedTuple):
    """What another seed gave.

    Attributes:
        images: Borderline images in [-1, 1], shape (n, C, H, W).
        probabilities: The model's opinion of them, shape (n,).
        embeddings: Shape (n, D).
        reduced: Their places in the space that was clustered, shape (n, d).
        labels: Their clusters, shape (n,), from 0; -1 for none.
    """

    images: Tensor
    probabilities: Tensor
    embeddings: Tensor
    reduced: Tensor
    labels: Tensor

    @property
    def clusters(self) -> int:
        """How many clusters were found."""
        return len(self.labels[self.labels >= 0].unique())


def generate_borderline(
    sampler: Sampler,
    classifier: nn.Module,
    real: LabelledImages,
    band: float,
    count: int,
    run: RunParams,
) -> Part:
    """Borderline images of a generator, as many as wished for if it makes so many.

    Args:
        sampler: What makes its images.
        classifier: The model under test.
        real: The real training images of the pair.
        band: What counts as borderline.
        count: How many.
        run: Device, and the seed that makes them others.
    """
    found: list[Part] = []
    asked, hits, wanted = 0, 0, max(count, _FEWEST_ASKED)
    round_ = 0
    while hits < count and asked < _MOST_IN_VAIN * count:
        again = run.model_copy(update={"seed": run.seed_for("generated again", round_)})
        came = 0
        for part in sampler.sample(classifier, real, wanted, again):
            rows = is_borderline(part["probabilities"], band)
            found.append({name: part[name][rows] for name in ("images", "probabilities")})
            came, hits = came + len(rows), hits + int(rows.sum())
        if came == 0:
            break
        asked, round_ = asked + wanted, round_ + 1
        rate = max(hits / asked, 1 / _MOST_IN_VAIN)
        wanted = max(int((count - hits) / rate), _FEWEST_ASKED)
    if not found:
        return {"images": real["images"][:0], "probabilities": torch.zeros(0)}
    return {name: torch.cat([part[name] for part in found])[:count] for name in found[0]}


def repeat(
    part: Part, classifier: nn.Module, clusters: Clusters, run: RunParams, attempt: int
) -> Repeat | None:
    """Cluster new images with the same recipe, with the seeds of an attempt.

    Args:
        part: ``images`` and ``probabilities``.
        classifier: The model under test.
        clusters: Those that were found, whose recipe is followed again.
        run: Device and seed.
        attempt: Its number.

    Returns:
        What was found; None where the recipe finds no two clusters.
    """
    if len(part["images"]) < 2:
        return None
    embeddings = embed(classifier, part["images"], run.torch_device())
    found = clusters.again(embeddings.numpy(), run, attempt)
    if found is None:
        return None
    labels, points = torch.from_numpy(found.clusters.labels), torch.from_numpy(found.points)
    made = Repeat(part["images"], part["probabilities"], embeddings, points, labels)
    return made if made.clusters > 1 else None


def adjusted_rand(made: Repeat, clusters: Clusters) -> float:
    """The adjusted Rand index of new clusters with those that the images would have joined."""
    joined, _, _ = clusters.assign(made.embeddings.numpy())
    return float(adjusted_rand_score(joined, made.labels.numpy()))

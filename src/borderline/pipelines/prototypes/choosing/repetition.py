"""The sensitivity analysis: images generated and clustered again, with other seeds."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor, nn

from borderline.measures.confusion import is_borderline
from borderline.measures.inference import embed
from borderline.params import RunParams
from borderline.records import LabelledImages, take_rows
from borderline.sampling import Part, Sampler, sample_within_pair

# A generator that hits the boundary seldom is asked for at most so many times the images.
_MOST_IN_VAIN = 50
_FEWEST_ASKED = 256
_FEWEST_ENOUGH = 15_000
# With fewer images there is nothing to cluster.
_FEWEST_CLUSTERED = 20


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
    # For kinds that are made of the real images and of nothing random.
    total = len(real["labels"])
    drawn = torch.randint(total, (total,), generator=run.generator("real images again")).unique()
    real = take_rows(real, drawn)
    found = {"images": real["images"][:0], "probabilities": torch.zeros(0)}
    asked, round_, wanted = 0, 0, max(count, _FEWEST_ASKED)
    while len(found["images"]) < count and asked < max(_MOST_IN_VAIN * count, _FEWEST_ENOUGH):
        again = run.model_copy(update={"seed": run.seed_for("generated again", round_)})
        before, came = len(found["images"]), 0
        for part in sample_within_pair(sampler, classifier, real, wanted, again):
            rows, came = is_borderline(part["probabilities"], band), came + len(part["images"])
            found = {name: torch.cat([found[name], part[name][rows]]) for name in found}
        new = _first_of_equals(found["images"])
        found = {name: tensor[new] for name, tensor in found.items()}
        asked, round_ = asked + wanted, round_ + 1
        if len(found["images"]) == before and came < wanted:
            # It has no more to give.
            break
        rate = max(len(found["images"]) / asked, 1 / _MOST_IN_VAIN)
        wanted = max(int((count - len(found["images"])) / rate), _FEWEST_ASKED)
    return {name: tensor[:count] for name, tensor in found.items()}


def _first_of_equals(images: Tensor) -> Tensor:
    """The rows of images that no row before is equal to, in order."""
    if len(images) == 0:
        return torch.zeros(0, dtype=torch.long)
    _, rows = np.unique(images.flatten(1).numpy(), axis=0, return_index=True)
    return torch.from_numpy(np.sort(rows))


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
    if len(part["images"]) < _FEWEST_CLUSTERED:
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

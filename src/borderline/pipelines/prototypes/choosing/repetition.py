"""The sensitivity analysis: images generated and clustered again, with other seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import nn

from borderline.measures.confusion import is_borderline
from borderline.measures.inference import embed
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.cluster_model import ClusterModel
from borderline.records import LabelledImages, Part, Repeat, Repeats, take_rows
from borderline.sampling import Sampler, sample_within_pair

COLUMNS = ["repeat", "images", "clusters", "mode", "number", "ari", "note"]
"""The columns of the table of repeats."""

# A generator that rarely reaches the boundary makes at most so many times the wanted images.
_MOST_IN_VAIN = 50
_FEWEST_MADE = 256
_FEWEST_ENOUGH = 15_000
# Fewer images cannot be clustered.
_FEWEST_CLUSTERED = 20


def repeat_clusters(
    number: int,
    sampler: Sampler,
    classifier: nn.Module,
    judge: nn.Module,
    real: LabelledImages,
    own: np.ndarray,
    model: ClusterModel | None,
    band: float,
    wanted: int,
    run: RunParams,
) -> tuple[Repeat, dict[str, Any]]:
    """Generate ``wanted`` images and cluster them; returns the repeat and its row in the table.

    ``ari`` is that of ``agreement`` with ``model``, whose images have the embeddings ``own``
    (n, D). ``mode`` and ``number`` are those that the new images would have been given.
    """
    row: dict[str, Any] = {"repeat": number, "images": 0, "clusters": 0}
    nothing: Repeat = {"labels": torch.zeros(0, dtype=torch.long)}
    if model is None:
        return nothing, {**row, "note": "there are no clusters to repeat"}
    run = run.model_copy(update={"seed": run.seed_for("repeat", number)})
    part = generate_borderline(sampler, classifier, real, band, wanted, run)
    made = len(part["images"])
    fewer = f"only {made} of {wanted} images" if made < wanted else ""
    embeddings, features = (
        embed(m, part["images"], run.torch_device()) for m in (classifier, judge)
    )
    seen = embeddings.numpy(), features.numpy()
    other = cluster_again(*seen, model, run, number)
    if other is None:
        images = fewer or f"{wanted} images"
        return nothing, {**row, "note": f"{images}, in which the recipe gives no two clusters"}
    repeat: Repeat = {
        "images": part["images"],
        "probabilities": part["probabilities"],
        "embeddings": embeddings,
        "features": features,
        "reduced": torch.from_numpy(other.points),
        "labels": torch.from_numpy(other.labels),
    }
    if other.exemplars is not None:
        repeat["exemplars"] = torch.from_numpy(other.exemplars)
    row |= {"images": made, "clusters": count_clusters(other.labels)}
    chosen = model.choose_number(*seen, run)
    row |= {"mode": chosen.mode, "number": chosen.number}
    return repeat, {**row, "ari": agreement(model, own, other, seen[0]), "note": fewer}


def repeats_with_clusters(repeats: Repeats) -> list[tuple[int, Repeat, Candidates]]:
    """The repeats that gave clusters, with their numbers and their images as candidates."""
    loaded = [(number, repeats[name]()) for number, name in enumerate(sorted(repeats))]
    return [(number, part, Candidates.of(part)) for number, part in loaded if len(part["labels"])]


def generate_borderline(
    sampler: Sampler,
    classifier: nn.Module,
    real: LabelledImages,
    band: float,
    count: int,
    run: RunParams,
) -> Part:
    """Borderline images of a generator; fewer than ``count`` where it does not make so many."""
    # Generators that only combine real images get others, too.
    total = len(real["labels"])
    drawn = torch.randint(total, (total,), generator=run.generator("real images again")).unique()
    real = take_rows(real, drawn)
    images, p = real["images"][:0], torch.zeros(0)
    made, round_, wanted = 0, 0, max(count, _FEWEST_MADE)
    while len(images) < count and made < max(_MOST_IN_VAIN * count, _FEWEST_ENOUGH):
        again = run.model_copy(update={"seed": run.seed_for("generated again", round_)})
        before, received = len(images), 0
        for part in sample_within_pair(sampler, classifier, real, wanted, again):
            received += len(part["images"])
            rows = is_borderline(part["probabilities"], band)
            images = torch.cat([images, part["images"][rows]])
            p = torch.cat([p, part["probabilities"][rows]])
        # The first of equal images stays, and so does their order.
        _, first = np.unique(images.flatten(1).numpy(), axis=0, return_index=True)
        distinct = torch.from_numpy(np.sort(first))
        images, p = images[distinct], p[distinct]
        made, round_ = made + wanted, round_ + 1
        if len(images) == before and received < wanted:
            # The generator is exhausted.
            break
        rate = max(len(images) / made, 1 / _MOST_IN_VAIN)
        wanted = max(int((count - len(images)) / rate), _FEWEST_MADE)
    return {"images": images[:count], "probabilities": p[:count]}


def cluster_again(
    embeddings: np.ndarray,
    features: np.ndarray,
    model: ClusterModel,
    run: RunParams,
    attempt: int,
) -> ClusterModel | None:
    """Cluster other images (M, D) with the same recipe; None where it gives no two clusters."""
    if len(embeddings) < _FEWEST_CLUSTERED:
        return None
    other = model.again(embeddings, features, run, attempt)
    return None if other is None or count_clusters(other.labels) < 2 else other


def agreement(
    model: ClusterModel, embeddings: np.ndarray, other: ClusterModel, others: np.ndarray
) -> float:
    """The adjusted Rand index of two models, the mean over the images of both.

    Args:
        model: A model.
        embeddings: The embeddings of its images, (n, D).
        other: Another model.
        others: The embeddings of the images of that, (M, D).
    """
    sides = [[each.assign(images)[0] for each in (model, other)] for images in (embeddings, others)]
    return float(np.mean([adjusted_rand_score(*labels) for labels in sides]))


def count_clusters(labels: np.ndarray) -> int:
    """The number of clusters among labels (n,), without the noise."""
    return len(np.unique(labels[labels >= 0]))

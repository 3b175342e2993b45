"""The sensitivity analysis: images generated and clustered again, with other seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import adjusted_rand_score
from torch import nn

from borderline.boundary import Boundary
from borderline.measures.inference import embed
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.cluster_model import ClusterModel
from borderline.records import (
    LabelledImages,
    Pool,
    Repeat,
    Repeats,
    Side,
    generators_in,
)
from borderline.sampling import Sampler, generate_borderline

COLUMNS = ["repeat", "images", "clusters", "mode", "number", "ari", "note"]
"""The columns of the table of repeats."""

FEWEST_CLUSTERED = 20
"""Fewer images cannot be clustered."""


class Seen(NamedTuple):
    """Borderline images as the model, (n, D), and the judge, (n, F), see them."""

    embeddings: np.ndarray
    features: np.ndarray

    def rows(self, rows: np.ndarray) -> Seen:
        """Some of the images."""
        return Seen(self.embeddings[rows], self.features[rows])


class Settled(NamedTuple):
    """Clusters or exemplars that are compared with others.

    Attributes:
        model: The clusters or exemplars.
        embeddings: The embeddings of their borderline images, (n, D).
        pool: The borderline images of all generators.
        generator: The generator of the borderline images.
        gans: The number of the GAN of each generator, see ``grid.Layout.gans``.
    """

    model: ClusterModel
    embeddings: np.ndarray
    pool: Pool
    generator: str
    gans: Mapping[str, int]

    def of_generator(self, name: str) -> Seen:
        """Other images of a generator than those that the run has clustered.

        The same ones where it has made fewer than half as many others.
        """
        same, other = (
            Seen(*(self.pool[f"{name}.{which}{field}"].numpy() for field in Seen._fields))
            for which in ("", "other_")
        )
        return other if 2 * len(other.embeddings) >= len(same.embeddings) else same

    def side(self, seen: Seen, pool: Pool) -> Side:
        """Other images and the pool that belongs to them."""
        return Side(*seen, pool, self.gans)

    def pool_of(self, images: Mapping[str, Seen]) -> Pool:
        """A pool of these images of generators, as many of each as in the run's."""
        pool: Pool = {}
        for name, seen in images.items():
            most = len(self.pool.get(f"{name}.embeddings", seen.embeddings))
            for field, vectors in zip(Seen._fields, seen, strict=True):
                pool[f"{name}.{field}"] = torch.from_numpy(vectors[:most])
        return pool

    def others_with(self, seen: Seen) -> Pool:
        """A pool of other images of all generators, with these of the run's generator."""
        others = {name: self.of_generator(name) for name in generators_in(self.pool)}
        return self.pool_of({**others, self.generator: seen})


class Again(NamedTuple):
    """Clusters or exemplars of other images: their model, labels (M,) and coordinates (M, d)."""

    model: ClusterModel
    labels: np.ndarray
    points: np.ndarray


def repeat_clusters(
    number: int,
    sampler: Sampler,
    classifier: nn.Module,
    judge: nn.Module,
    real: LabelledImages,
    this: Settled,
    boundary: Boundary,
    wanted: int,
    run: RunParams,
) -> tuple[Repeat, dict[str, Any]]:
    """Generate ``wanted`` images and cluster them; returns the repeat and its row in the table.

    ``ari`` is that of ``agreement``. ``mode`` and ``number`` are those that the new images would
    have been given.
    """
    row: dict[str, Any] = {"repeat": number, "images": 0, "clusters": 0}
    run = run.model_copy(update={"seed": run.seed_for("repeat", number)})
    part = generate_borderline(sampler, classifier, real, boundary, wanted, run)
    made = len(part["images"])
    fewer = f"only {made} of {wanted} images" if made < wanted else ""
    nets, device = (classifier, judge), run.torch_device()
    embeddings, features = (embed(net, part["images"], device) for net in nets)
    seen = Seen(embeddings.numpy(), features.numpy())
    side = this.side(seen, this.others_with(seen))
    other = cluster_again(side, this, run, number)
    if other is None:
        images = fewer or f"{wanted} images"
        return _nothing(), {**row, "note": f"{images}, in which the recipe gives no two clusters"}
    repeat: Repeat = {
        "images": part["images"],
        "probabilities": part["probabilities"],
        "embeddings": embeddings,
        "features": features,
        "reduced": torch.from_numpy(other.points),
        "labels": torch.from_numpy(other.labels),
    }
    if other.model.exemplars is not None:
        repeat["exemplars"] = torch.from_numpy(other.model.exemplars)
    row |= {"images": made, "clusters": count_clusters(other.labels)}
    chosen = this.model.choose_number(side, run)
    row |= {"mode": chosen.mode, "number": chosen.number}
    return repeat, {**row, "ari": agreement(this, other.model, seen.embeddings), "note": fewer}


def no_repeat() -> tuple[dict[str, Repeat], pd.DataFrame]:
    """The only part and the table where there are no clusters to repeat."""
    row = {"repeat": 0, "images": 0, "clusters": 0, "note": "there are no clusters to repeat"}
    return {"part_00000": _nothing()}, pd.DataFrame([row], columns=COLUMNS)


def _nothing() -> Repeat:
    return {"labels": torch.zeros(0, dtype=torch.long)}


def repeats_with_clusters(
    repeats: Repeats, boundary: Boundary | None = None
) -> list[tuple[int, Repeat, Candidates]]:
    """The repeats that gave clusters, with their numbers and their images as candidates.

    Confusion distances need the boundary.
    """
    loaded = [(number, repeats[name]()) for number, name in enumerate(sorted(repeats))]
    return [
        (number, part, Candidates.of(part, boundary))
        for number, part in loaded
        if len(part["labels"])
    ]


def cluster_again(side: Side, this: Settled, run: RunParams, attempt: int) -> Again | None:
    """Cluster other images as the run does; None where that gives no two clusters.

    One is enough where the run has only one.
    """
    embeddings = side.embeddings
    if len(embeddings) < FEWEST_CLUSTERED:
        return None
    other = this.model.again(side, run, attempt)
    wanted = min(2, count_clusters(this.model.labels))
    if other is None or count_clusters(other.labels) < wanted:
        return None
    if other.embeddings is embeddings:
        return Again(other, other.labels, other.points)
    labels, _, points = other.assign(embeddings)
    return Again(other, labels, points) if count_clusters(labels) else None


def agreement(this: Settled, other: ClusterModel, others: np.ndarray) -> float:
    """The adjusted Rand index of two models, the mean over the images of both.

    Images of an artefact are left out. Images that both put into one cluster say nothing and are
    left out too; NaN if all do.

    Args:
        this: A model and its images.
        other: The other model.
        others: The embeddings of the images of the other model, (M, D).
    """
    values = []
    for images in (this.embeddings, others):
        models = this.model, other
        kept = ~np.any([model.is_artefact(images) for model in models], axis=0)
        labels = [model.assign(images[kept])[0] for model in models]
        if any(len(np.unique(column)) > 1 for column in labels):
            values.append(adjusted_rand_score(*labels))
    return float(np.mean(values)) if values else math.nan


def count_clusters(labels: np.ndarray) -> int:
    """The number of clusters among labels (n,), without the noise."""
    return len(np.unique(labels[labels >= 0]))

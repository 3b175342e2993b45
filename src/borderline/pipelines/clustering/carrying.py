"""The number of patterns that images can carry."""

from __future__ import annotations

import numpy as np

from borderline.pipelines.clustering.params import ClusteringParams
from borderline.records import Embeddings

_FEWEST_PATTERNS = 2


def limited(params: ClusteringParams, embeddings: Embeddings) -> ClusteringParams:
    """The settings with a limit on the number of patterns: one for ``images_per_pattern`` images.

    The fewest of these count: distinct borderline images, those that the model tells apart, and
    distinct real training images, because a generator adds none to them.
    """
    count, _ = _fewest(embeddings)
    return params.limited_to(count // params.images_per_pattern)


def too_few(embeddings: Embeddings, params: ClusteringParams) -> str:
    """Why there are too few images for a search; empty where there are enough."""
    count, limit = len(embeddings["embeddings"]), params.fewest_images
    setting = f"(clustering.fewest_images is {limit})"
    if count < limit:
        return f"only {count} borderline images {setting}"
    told_apart = _told_apart(embeddings)
    if told_apart < limit:
        return f"the model distinguishes only {told_apart} of its borderline images {setting}"
    count, which = _fewest(embeddings)
    if count < _FEWEST_PATTERNS * params.images_per_pattern:
        return (
            f"only {count} {which} images are distinct, too few for two patterns "
            f"(clustering.images_per_pattern is {params.images_per_pattern})"
        )
    return ""


def _fewest(embeddings: Embeddings) -> tuple[int, str]:
    """The fewest distinct images of the kinds that count, and their kind."""
    counts = {"borderline": _told_apart(embeddings)}
    if "distinct" in embeddings:
        borderline, training = embeddings["distinct"].tolist()
        counts["borderline"] = min(counts["borderline"], borderline)
        counts["real training"] = training
    which = min(counts, key=lambda name: counts[name])
    return counts[which], which


def _told_apart(embeddings: Embeddings) -> int:
    """The number of borderline images, of those to fit, that the model tells apart."""
    return len(np.unique(embeddings["embeddings"][embeddings["fitted"]].numpy(), axis=0))

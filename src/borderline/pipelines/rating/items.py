"""The images that people rate: borderline ones of each pattern, and controls, in random order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor

from borderline.datasets.tensors import digest
from borderline.params import RunParams
from borderline.pipelines.rating.params import RatingParams
from borderline.records import Clusters, LabelledImages, Part, Prototypes, RatingItems, take_rows

KINDS = ("borderline", "real_positive", "real_negative", "blend")
"""The kinds of images; an item has the number of its kind."""

RIGHT = {"real_positive": "positive", "real_negative": "negative"}
"""The right answers to the confident real images."""

NO_PATTERN = -1
_LENGTH_OF_ID = 12


def choose_items(
    borderline: Part,
    clusters: Clusters,
    prototypes: Prototypes,
    pair_test: LabelledImages,
    test_p: Tensor,
    *,
    rating: RatingParams,
    confident: float,
    run: RunParams,
) -> RatingItems:
    """Choose the images of a page and their random order.

    Args:
        test_p: p of the test images, (M,).
        confident: A real image is confident from this probability of its class on.

    Returns:
        No items if there are no borderline images.
    """
    random = run.generator("rating")
    pattern_of = patterns_of(clusters, prototypes)
    rows = _rows_by_pattern(pattern_of, prototypes["rows"], rating.borderline, random)
    if len(rows) == 0:
        return _items(borderline["images"][:0], 0, rows, rows)
    confident_rows = [_confident(pair_test, test_p, label, confident, random) for label in (1, 0)]
    real = [rows_of_class[: rating.real] for rows_of_class in confident_rows]
    # The blends are of other images than those that are shown, as far as there are enough.
    blended = min(rating.blends, *map(len, confident_rows))
    ends = [rows_of_class.roll(-rating.real)[:blended] for rows_of_class in confident_rows]
    images = pair_test["images"]
    blends = (images[ends[0]] + images[ends[1]]) / 2
    none = torch.full_like(ends[0], NO_PATTERN)
    parts = [
        _items(borderline["images"][rows], 0, rows, pattern_of[rows]),
        *(_items(images[r], 1 + i, r, torch.full_like(r, NO_PATTERN)) for i, r in enumerate(real)),
        _items(blends, 3, none, none),
    ]
    together: RatingItems = {
        "images": torch.cat([part["images"] for part in parts]),
        "kind": torch.cat([part["kind"] for part in parts]),
        "row": torch.cat([part["row"] for part in parts]),
        "pattern": torch.cat([part["pattern"] for part in parts]),
    }
    return take_rows(together, torch.randperm(len(together["kind"]), generator=random))


def patterns_of(clusters: Clusters, prototypes: Prototypes) -> Tensor:
    """The pattern of each borderline image, int64 (n,): the first prototype of its cluster.

    A prototype without a cluster, or of a cluster with an earlier prototype, has only itself;
    images without a pattern have ``NO_PATTERN``.
    """
    labels, rows = clusters["labels"], prototypes["rows"]
    patterns = torch.full_like(labels, NO_PATTERN)
    for number, row in reversed(list(enumerate(rows.tolist()))):
        if labels[row] >= 0:
            patterns[labels == labels[row]] = number
    for number, row in enumerate(rows.tolist()):
        patterns[row] = number
    return patterns


def ids_of(items: RatingItems) -> list[str]:
    """The opaque name of each item: digits of a fingerprint of its place and its pixels."""
    images = items["images"]
    return [digest(images[i], torch.tensor(i))[:_LENGTH_OF_ID] for i in range(len(images))]


def fingerprint(items: RatingItems, pair_names: Mapping[str, str]) -> str:
    """The fingerprint of a page: of its images in their order, and of the names of the classes."""
    names = [pair_names[name] for name in ("positive", "negative")]
    content = json.dumps([names, ids_of(items)]).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _rows_by_pattern(
    pattern_of: Tensor, prototypes: Tensor, images: int, random: torch.Generator
) -> Tensor:
    """Rows of borderline images, as many of each pattern as possible, its prototype first.

    The largest patterns come first where the images do not suffice for all. Without patterns, the
    images are a random choice of all.
    """
    order = torch.randperm(len(pattern_of), generator=random)
    if len(prototypes) == 0:
        return order[:images]
    queues = []
    for number, prototype in enumerate(prototypes.tolist()):
        members = order[(pattern_of[order] == number) & (order != prototype)]
        queues.append([prototype, *members.tolist()] if pattern_of[prototype] == number else [])
    queues.sort(key=len, reverse=True)
    longest = max(map(len, queues))
    in_turn = [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
    return torch.tensor(in_turn[:images], dtype=torch.long)


def _confident(
    pair_test: LabelledImages, p: Tensor, label: int, confident: float, random: torch.Generator
) -> Tensor:
    """Rows of a class's correctly classified test images: confident ones in random order, the rest
    by falling probability of the class."""
    own = p if label == 1 else 1 - p
    rows = ((pair_test["labels"] == label) & (own > 0.5)).nonzero()[:, 0]
    sure, rest = rows[own[rows] >= confident], rows[own[rows] < confident]
    sure = sure[torch.randperm(len(sure), generator=random)]
    return torch.cat([sure, rest[own[rest].argsort(descending=True, stable=True)]])


def _items(images: Tensor, kind: int, rows: Tensor, patterns: Tensor) -> RatingItems:
    """Items of one kind; all images have the 256 levels of a picture file, as real ones have."""
    levels = ((images.float().clamp(-1, 1) + 1) * 127.5).round()
    return {
        "images": levels / 127.5 - 1,
        "kind": torch.full_like(rows, kind),
        "row": rows,
        "pattern": patterns,
    }

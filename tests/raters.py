"""Simulated raters, and a few images for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch

from borderline.params import RunParams
from borderline.pipelines.rating.items import KINDS, choose_items, fingerprint, ids_of
from borderline.pipelines.rating.params import RatingParams
from borderline.records import RatingItems
from conftest import base_settings

NAMES = {"source": "digits", "positive": "7", "negative": "1"}
ANSWERS = ("positive", "negative", "neither", "cannot_tell")


def rating_params(**changed: object) -> RatingParams:
    """Settings of the rating, quick ones."""
    quick = {"borderline": 8, "real": 4, "blends": 3, "resamples": 50}
    return RatingParams.model_validate(base_settings()["rating"] | quick | changed)


def rated(
    *, patterns: int = 2, borderline: int = 40, real: int = 60, channels: int = 1, side: int = 10
) -> dict[str, Any]:
    """What the items are chosen from: noisy generated images, and clean real ones."""
    random = torch.Generator().manual_seed(5)
    labels = torch.arange(borderline) % max(patterns, 1) if patterns else torch.full((40,), -1)
    images = torch.randn(borderline, channels, side, side, generator=random).mul(0.3).clamp(-1, 1)
    real_labels = torch.arange(real) % 2
    clean = torch.full((real, channels, side, side), -1.0)
    for row, label in enumerate(real_labels.tolist()):
        clean[row, :, 1 + row % (side - 2), 1:-1] = 1.0 if label else 0.5
        clean[row, :, :, label] = row / real
    rows = torch.arange(patterns)
    return {
        "borderline": {"images": images, "probabilities": torch.full((borderline,), 0.5)},
        "clusters": {"labels": labels},
        "prototypes": {"rows": rows, "images": images[rows]},
        "pair_test": {"images": clean, "labels": real_labels},
        "real_view": {"test_p": torch.where(real_labels == 1, 0.97, 0.02)},
    }


def items_of(data: Mapping[str, Any], *, seed: int = 0, **changed: object) -> RatingItems:
    """The items chosen from data of ``rated``."""
    wanted = ("borderline", "clusters", "prototypes", "pair_test")
    return choose_items(
        *(data[name] for name in wanted),
        data["real_view"]["test_p"],
        rating=rating_params(**changed),
        confident=0.9,
        run=RunParams(seed=seed, device="cpu"),
    )


def answers_of(
    items: RatingItems,
    rater: str,
    answer: Callable[[str, int], str | None],
    *,
    seconds: float = 1.0,
    names: Mapping[str, str] = NAMES,
) -> str:
    """A file of answers; ``answer`` takes the kind and the pattern of an item, None skips it."""
    given = {}
    numbers = zip(items["kind"].tolist(), items["pattern"].tolist(), strict=True)
    for place, (item, (kind, pattern)) in enumerate(zip(ids_of(items), numbers, strict=True)):
        word = answer(KINDS[kind], pattern)
        if word is not None:
            given[item] = {"answer": word, "seconds": seconds + place / 100}
    page = fingerprint(items, names)
    return json.dumps({"format": 1, "page": page, "rater": rater, "answers": given})


def good(kind: str, pattern: int) -> str:
    """A rater who knows the classes, sees 7 in pattern 0, neither in 1, and both in blends."""
    if kind.startswith("real"):
        return kind.removeprefix("real_")
    return "cannot_tell" if kind == "blend" else ("positive", "neither")[pattern % 2]

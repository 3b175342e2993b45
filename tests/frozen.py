"""Small suites for tests."""

from __future__ import annotations

import torch

from borderline.suites.suite import About, Item, MadeWith, Suite, digest_of_image

IMAGES = torch.linspace(-1, 1, 6 * 64).reshape(6, 1, 8, 8)
"""Six images that differ."""


def item(row: int, **changed: object) -> Item:
    """An image of ``IMAGES`` that the committee is sure of."""
    values: dict[str, object] = {
        "digest": digest_of_image(IMAGES[row]),
        "verdict": "weakness",
        "label": 1,
        "label_source": "committee",
        "committee_p": 0.9,
        "pattern": 0,
        "words": "thinner",
        "model": "cnn_2",
        "p": 0.52,
        "threshold": 0.5,
        "band": 0.1,
        "scale": "probability",
    }
    return Item.model_validate(values | changed)


def ambiguous(row: int, **changed: object) -> Item:
    """An image on which the committee is split."""
    split: dict[str, object] = {"verdict": "ambiguous", "label": None, "label_source": None}
    return item(row, **split | changed)


def about(**changed: object) -> About:
    """A suite of 7 against 1, found by one run."""
    run = MadeWith(
        model="cnn_2",
        borderline="0.1.0",
        generator="hybrid",
        recipe="pca + kmeans",
        seed=0,
        settings="0" * 16,
        license="mit",
        left_out={"Unrealistic": 3},
    )
    values: dict[str, object] = {
        "dataset": "digits",
        "source": "Digits",
        "positive": "7",
        "negative": "1",
        "shape": (1, 8, 8),
        "made_with": (run,),
    }
    return About.model_validate(values | changed)


def suite(rows: dict[int, Item] | None = None, **changed: object) -> Suite:
    """A suite of images of ``IMAGES`` by row: by default a 7, a 1, and an ambiguous image."""
    items = rows or {0: item(0), 1: item(1, label=0, pattern=1), 2: ambiguous(2)}
    return Suite(about(**changed), tuple(items.values()), IMAGES[list(items)])

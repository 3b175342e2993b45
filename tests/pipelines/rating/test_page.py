from __future__ import annotations

import base64
import json
import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict

from borderline.pipelines.rating.page import png_of, render
from raters import NAMES, items_of, rated

# Signature, header and begin of the data; the checksums of the data and the end of the file.
_BEFORE, _AFTER = 8 + 25 + 8, 4 + 4 + 12


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="rating-data">(.*?)</script>', page, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_the_images(channels: int) -> None:
    items = items_of(rated(channels=channels))
    for item, image in zip(
        data_of(render("m", items, NAMES))["items"], items["images"], strict=True
    ):
        picture = np.asarray(Image.open(BytesIO(base64.b64decode(item["png"]))))
        shown = picture.reshape(*picture.shape[:2], channels) / 127.5 - 1
        assert np.allclose(shown, image.movedim(0, -1).numpy(), atol=1e-5)


def test_large_pictures_are_whole() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(BytesIO(png_of(pixels)))), pixels)


def test_pictures_differ_in_pixels_and_checksums_only() -> None:
    """Compressed, the noisy generated images would have longer files than the real ones."""
    side = 10
    files = [
        base64.b64decode(item["png"])
        for item in data_of(render("m", items_of(rated(side=side)), NAMES))["items"]
    ]
    assert len({len(file) for file in files}) == 1
    assert len({file[:_BEFORE] for file in files}) == 1
    stored = [file[_BEFORE:-_AFTER] for file in files]
    rows = [np.frombuffer(one[-side * (side + 1) :], np.uint8).reshape(side, -1) for one in stored]
    assert len({one[: -side * (side + 1)] for one in stored}) == 1
    assert all((one[:, 0] == 0).all() for one in rows), "no row has a filter"


def test_nothing_but_the_pixels_tells_the_kinds() -> None:
    """A forest on places, ids and lengths is no better than guessing, and pixels would do."""
    items = items_of(rated(borderline=200, real=200), borderline=60, real=20, blends=20)
    entries = data_of(render("m", items, NAMES))["items"]
    assert {tuple(entry) for entry in entries} == {("id", "png")}
    generated = (items["kind"] == 0).numpy()
    hints = np.array(
        [
            [place, place % 2, place % 4, len(entry["png"]), *(int(d, 16) for d in entry["id"])]
            for place, entry in enumerate(entries)
        ]
    )

    def right(features: np.ndarray) -> float:
        forest = RandomForestClassifier(100, class_weight="balanced", random_state=0)
        guesses = cross_val_predict(forest, features, generated, cv=5)
        return float(np.mean([(guesses[generated == k] == k).mean() for k in (True, False)]))

    assert abs(right(hints) - 0.5) < 0.1
    assert right(items["images"].flatten(1).numpy()) > 0.9


def test_page_names_no_kind_and_no_pattern() -> None:
    page = render("m", items_of(rated()), NAMES)
    body = page[page.index("<main") : page.index("</main>")]
    words = re.sub(r'"png":"[^"]*"', "", body).lower()
    for word in ("pattern", "prototype", "blend", "real", "generated", "confident", "control"):
        assert not re.search(rf"\b{word}s?\b", words), word


def test_names_of_classes_are_text() -> None:
    page = render("m", items_of(rated()), NAMES | {"positive": "</script><b>bag", "negative": "{#"})
    assert "<b>bag" not in page
    assert "&lt;b&gt;bag" in page


def test_page_without_images_says_so() -> None:
    data = rated(patterns=0)
    data["borderline"] = {name: tensor[:0] for name, tensor in data["borderline"].items()}
    data["clusters"] = {"labels": data["clusters"]["labels"][:0]}
    page = render("m", items_of(data), NAMES)
    assert "There is nothing to rate: the model has no borderline images." in page
    assert "rating-data" not in page

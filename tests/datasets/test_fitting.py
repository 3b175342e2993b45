"""Images that are not square become square as source.fit says, from every kind of source."""

from __future__ import annotations

import logging
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kedro.io import DatasetError
from PIL import Image

from borderline.datasets import ImageSource, decoding, image_files, labelled_images
from borderline.datasets.decoding import Picture
from borderline.datasets.fitting import checked_fit
from borderline.datasets.image_files import Arrays
from borderline.datasets.image_source import SourceImages
from borderline.datasets.labelled_images import labelled
from borderline.errors import BorderlineError
from sources import KINDS, written

# The middle is white, the sides are grey.
WIDE = np.full((10, 40), 100, np.uint8)
WIDE[:, 15:25] = 255


def loaded(folder: Path, kind: str, picture: np.ndarray, **settings: Any) -> SourceImages:
    return ImageSource(kind=kind, path=written(folder, kind, picture), **settings).load()


def grey(value: int) -> float:
    return value / 127.5 - 1


@pytest.mark.parametrize("kind", KINDS)
def test_fit_is_what_was_asked_for(tmp_path: Path, kind: str) -> None:
    rows = {}
    for fit in ("crop", "pad", "stretch"):
        folder = tmp_path / fit
        folder.mkdir()
        images = loaded(folder, kind, WIDE, size=8, fit=fit).train["images"]
        assert images.shape == (4, 1, 8, 8)
        rows[fit] = images[0, 0]
    assert float(rows["crop"].min()) > 0.8, "the central square is white"
    # 40x10 pixels become 8x2 between black borders.
    assert (rows["pad"][:3] == -1).all()
    assert (rows["pad"][5:] == -1).all()
    assert float(rows["pad"][3:5, 0].mean()) == pytest.approx(grey(100), abs=0.05)
    assert float(rows["stretch"][:, 0].mean()) == pytest.approx(grey(100), abs=0.05)
    assert float(rows["stretch"][:, 3:5].min()) > 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 8}, r"source.fit is missing.*lose 75 % .*40x10 .*'crop'.*'pad'.*'stretch'"),
        ({}, r"source.size is missing.*40x10 pixels and not square.*source.fit to 'crop'"),
        ({"fit": "pad"}, r"source.size is missing.*such as 32 or 64\.$"),
    ],
)
def test_large_loss_is_asked_for(
    tmp_path: Path, kind: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        loaded(tmp_path, kind, WIDE, **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_small_loss_is_said(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        loaded(tmp_path, kind, np.arange(90, dtype=np.uint8).reshape(9, 10), size=8)
    assert caplog.text.count("cut to their central square: the median image loses 10 %") == 1


def test_loss_is_judged_by_the_worst_image(caplog: pytest.LogCaptureFixture) -> None:
    squares = [(10, 10)] * 9
    with pytest.raises(BorderlineError, match=r"lose 20 % of an image of 10x8 .*images: 0 %"):
        checked_fit([*squares, (10, 8)], 8, None, "own")
    assert checked_fit([*squares, (9, 10)], 8, None, "own") == "crop"
    with caplog.at_level(logging.INFO):
        assert checked_fit([*squares, (10, 8)], 8, "crop", "own") == "crop"
    assert "the median image loses 0 % of its area, the most affected one 20 %" in caplog.text
    assert checked_fit([(10, 8), (8, 10)], 8, "pad", "own") == "pad"


@pytest.mark.parametrize("kind", ["image_folder", "arrays"])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_line_of_a_single_pixel(tmp_path: Path, kind: str, fit: str) -> None:
    line = np.full((1, 99), 255, np.uint8)
    images = loaded(tmp_path, kind, line, size=8, fit=fit).train["images"]
    assert images.shape == (4, 1, 8, 8)
    assert torch.isfinite(images).all()


def test_images_of_full_size_do_not_stay_in_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "image_folder", np.zeros((20, 20), np.uint8))
    for number in range(40):
        Image.new("RGB", (20, 20)).save(tmp_path / "a" / f"more_{number}.png")
    alive: list[weakref.ref[Image.Image]] = []
    most = 0

    def watched(*arguments: Any) -> Picture:
        nonlocal most
        most = max(most, sum(image() is not None for image in alive))
        picture = decoding.decoded(*arguments)
        alive.append(weakref.ref(picture.image))
        return picture

    monkeypatch.setattr(image_files, "decoded", watched)
    source = ImageSource(kind="image_folder", path=path, size=8).load()
    assert source.train["images"].shape == (44, 3, 8, 8)
    assert most < 10


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(7, 1, 20, 13), (7, 3, 9, 20)])
def test_images_in_parts_are_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, fit: Any, shape: tuple[int, ...]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    arrays = Arrays(pixels, np.zeros(7), scale=(0.0, 255.0))
    whole = labelled(arrays, 12, None, fit)["images"]
    monkeypatch.setattr(labelled_images, "_VALUES_AT_ONCE", 2 * pixels[0].size)
    assert torch.equal(labelled(arrays, 12, None, fit)["images"], whole)

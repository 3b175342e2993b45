"""Images get the size that source.size says as source.fit says, from every kind of source."""

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
from borderline.datasets.arrays import Arrays
from borderline.datasets.fitting import checked_fit
from borderline.datasets.image_source import SourceImages
from borderline.datasets.labelled_images import labelled
from borderline.datasets.picture import Picture
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
        (
            {"size": [16, 8]},
            r"source.fit is missing.*other proportions than source.size, \[16, 8\]: .* lose 88 % ",
        ),
    ],
)
def test_large_loss_is_asked_for(
    tmp_path: Path, kind: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        loaded(tmp_path, kind, WIDE, **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("picture", [WIDE, WIDE.T])
def test_images_of_one_size_keep_it(tmp_path: Path, kind: str, picture: np.ndarray) -> None:
    images = loaded(tmp_path, kind, picture).train["images"]
    assert images.shape == (4, 1, *picture.shape)
    torch.testing.assert_close(images[0, 0], torch.from_numpy(picture / 127.5 - 1).float())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(8, 16), (16, 8), (9, 33)])
def test_height_and_width_are_those_of_the_setting(
    tmp_path: Path, kind: str, fit: str, size: tuple[int, int]
) -> None:
    images = loaded(tmp_path, kind, WIDE, size=list(size), fit=fit).train["images"]
    assert images.shape == (4, 1, *size)
    on_its_side = tmp_path / "on_its_side"
    on_its_side.mkdir()
    turned = loaded(on_its_side, kind, WIDE.T, size=list(size[::-1]), fit=fit).train["images"]
    torch.testing.assert_close(turned, images.mT, atol=0.02, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_no_fit_changes_images_of_the_wanted_proportions(
    tmp_path: Path, kind: str, fit: str
) -> None:
    half = loaded(tmp_path, kind, WIDE.repeat(2, 0).repeat(2, 1), size=[10, 40], fit=fit)
    # A pixel of the half is one of four equal pixels, but for the edges of the white middle.
    flat = [0, 1, 2, 18, 19, 20, 21, 37, 38, 39]
    expected = torch.from_numpy(WIDE / 127.5 - 1).float()[:, flat]
    torch.testing.assert_close(half.train["images"][0, 0][:, flat], expected, atol=0.02, rtol=0)


def test_images_of_several_sizes_are_asked_for_both_forms_of_a_size() -> None:
    words = (
        r"source.size is missing, but the images of own are of 2 sizes \(90x30, 99x33 pixels, "
        r"width x height\): set source.size to the side of a square, such as 32 or 64, or "
        r"to \[height, width\], such as \[32, 96\], and source.fit to 'crop'"
    )
    with pytest.raises(BorderlineError, match=words):
        checked_fit([(90, 30), (99, 33)], None, None, "own")
    with pytest.raises(BorderlineError, match=r"or to \[height, width\], such as \[96, 32\]\.$"):
        checked_fit([(30, 90), (33, 99)], None, "pad", "own")
    with pytest.raises(BorderlineError, match=r"or to \[height, width\]\.$"):
        checked_fit([(8, 8), (9, 9)], None, None, "own")


def test_loss_is_that_of_the_wanted_proportions(caplog: pytest.LogCaptureFixture) -> None:
    assert checked_fit([(90, 30)] * 3, (32, 96), None, "own") == "crop"
    assert not caplog.text
    with caplog.at_level(logging.INFO):
        assert checked_fit([(90, 30), (96, 30)], (32, 96), None, "own") == "crop"
    assert "part with the proportions of [32, 96]: the median image loses 3 % " in caplog.text
    with pytest.raises(BorderlineError, match=r"lose 67 % of an image of 30x30 pixels"):
        checked_fit([(90, 30), (30, 30)], (32, 96), None, "own")


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

"""The values of black and white: a warning where they are in doubt, a setting that says them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kedro.io import DatasetError
from PIL import Image
from pydantic import ValidationError

from borderline.datasets import ImageSource
from borderline.datasets.image_source import SourceImages
from borderline.preflight.configuration import SourceGlobals
from sources import KINDS, written

RAMP = np.arange(64).reshape(8, 8)


def loaded(folder: Path, kind: str, picture: np.ndarray, **settings: Any) -> SourceImages:
    return ImageSource(kind=kind, path=written(folder, kind, picture), **settings).load()


@pytest.mark.parametrize("kind", KINDS)
def test_truth_values_in_8_bits(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    mask = (RAMP % 3 == 0).astype(np.uint8)
    dark = loaded(tmp_path, kind, mask).train["images"]
    assert float(dark.max()) < -0.98
    assert caplog.text.count("go from 0 to 1, less than a tenth of the range from 0 to 255") == 1
    assert "set source.range to the values of black and white, such as [0, 1]" in caplog.text
    caplog.clear()
    path = tmp_path / "a.npz" if kind == "arrays" else tmp_path
    path = tmp_path / "saved" if kind == "hugging_face" else path
    images = ImageSource(kind=kind, path=str(path), range=[0, 1]).load().train["images"]
    assert torch.equal(images[0, 0], torch.from_numpy(mask * 2.0 - 1).float())
    assert not caplog.text


@pytest.mark.parametrize("kind", ["image_folder", "hugging_face"])
def test_12_bits_in_files_of_16(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    picture = (RAMP * 65).astype(np.uint16)
    loaded(tmp_path, kind, picture)
    assert caplog.text.count("go from 0 to 4095, less than a tenth of the range") == 1
    path = str(tmp_path / "saved" if kind == "hugging_face" else tmp_path)
    images = ImageSource(kind=kind, path=path, range=[0, 4095]).load().train["images"]
    assert len(images.unique()) == 64, "no two values fall together"
    assert torch.allclose(images[0, 0], torch.from_numpy(RAMP / 31.5 - 1).float(), atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_values_beyond_the_range_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DatasetError, match=r"source.range is \[0, 9\], but .* from 0 to 63"):
        loaded(tmp_path, kind, RAMP.astype(np.uint8), range=[0, 9])


def test_whole_set_is_judged_and_not_an_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = np.repeat(np.array([0, 5, 250, 255], np.uint8), 64).reshape(4, 8, 8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(4) % 2)
    ImageSource(kind="arrays", path=str(tmp_path / "a.npz")).load()
    assert not caplog.text


def test_one_warning_for_training_and_test_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images, labels = np.stack([RAMP.astype(np.uint8) // 32] * 4), np.arange(4) % 2
    np.savez(tmp_path / "a.npz", images=images, labels=labels, x_test=images, y_test=labels)
    ImageSource(kind="arrays", path=str(tmp_path / "a.npz")).load()
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1


def test_files_of_8_and_16_bits_share_no_range(tmp_path: Path) -> None:
    written(tmp_path, "image_folder", (RAMP * 65).astype(np.uint16))
    Image.fromarray(RAMP.astype(np.uint8)).save(tmp_path / "a" / "z.png")
    with pytest.raises(DatasetError, match=r"source.range is \[0, 4095\].* 8 and 16 bits"):
        ImageSource(kind="image_folder", path=str(tmp_path), range=[0, 4095]).load()


@pytest.mark.parametrize("channels", [2, 4])
def test_arrays_have_one_or_three_channels(tmp_path: Path, channels: int) -> None:
    pixels = np.zeros((4, 9, 9, channels), np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=[0, 1, 0, 1])
    with pytest.raises(DatasetError, match=rf"\(4, 9, 9, {channels}\), but one channel or three"):
        ImageSource(kind="arrays", path=str(tmp_path / "a.npz")).load()


def test_settings_of_every_kind() -> None:
    settings = SourceGlobals(kind="image_folder", range=(0, 4095), fit="pad")
    assert (settings.range, settings.fit) == ((0, 4095), "pad")
    with pytest.raises(ValidationError, match="'crop', 'pad' or 'stretch'"):
        SourceGlobals.model_validate({"kind": "idx", "fit": "strech"})

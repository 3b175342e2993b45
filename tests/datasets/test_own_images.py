from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

from borderline.datasets import ImageSource, OwnImages
from borderline.datasets import own_images as module
from borderline.errors import BorderlineError
from sources import dicom


def save(path: Path, size: tuple[int, int] = (12, 12), colour: str = "L") -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new(colour, size, 200 if colour == "L" else (200, 10, 10)).save(path)


def test_images_take_size_and_colour_of_the_run(tmp_path: Path) -> None:
    save(tmp_path / "grey.png", (20, 20))
    save(tmp_path / "inner/red.jpg", (8, 8), "RGB")
    own = OwnImages(path=str(tmp_path)).load()
    assert own.name == tmp_path.name
    assert [file.name for file in own.files] == ["grey.png", "inner/red.jpg"]
    for shape in ((1, 12, 12), (3, 9, 9)):
        for pixels in own.pixels(shape):
            assert isinstance(pixels, np.ndarray)
            assert pixels.shape == shape
    own.check((1, 12, 12))


def test_a_file_that_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    save(tmp_path / "good.png")
    (tmp_path / "broken.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    own = OwnImages(path=str(tmp_path)).load()
    names = [file.name for file in own.files]
    results = dict(zip(names, own.pixels((1, 12, 12)), strict=True))
    assert isinstance(results["good.png"], np.ndarray)
    assert "cannot identify" in str(results["broken.png"])
    assert results["empty.png"] == "0 bytes"
    own.check((1, 12, 12))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    save(tmp_path / "mine/a.png")
    save(tmp_path / "private.png")
    (tmp_path / "mine/b.png").symlink_to(tmp_path / "private.png")
    own = OwnImages(path=str(tmp_path / "mine")).load()
    assert "outside of" in str(own.pixels((1, 12, 12))[1])


def test_a_huge_file_is_refused_and_not_decoded(tmp_path: Path) -> None:
    save(tmp_path / "huge.png", (1200, 1000))
    own = OwnImages(path=str(tmp_path), most_megapixels=1).load()
    assert "more than 1 megapixels" in str(own.pixels((1, 12, 12)))
    with pytest.raises(BorderlineError, match="none of its 1 images can be read"):
        own.check((1, 12, 12))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (None, "images is missing"),
        ("nowhere", "is not there"),
        ("file", "is a file"),
        ("empty", "no image lies there"),
        ("many", "holds 3 images, but at most 2"),
    ],
)
def test_a_folder_without_use_is_one_sentence(
    tmp_path: Path, made: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    for number in range(3):
        save(tmp_path / f"many/{number}.png")
    path = None if made is None else str(tmp_path / made)
    with pytest.raises(DatasetError) as error:
        OwnImages(path=path).load()
    assert words in str(error.value.__cause__)
    assert str(error.value.__cause__).endswith(".")


def test_images_of_other_proportions_ask_for_a_fit(tmp_path: Path) -> None:
    save(tmp_path / "long.png", (40, 10))
    with pytest.raises(BorderlineError, match=r"source\.fit is missing"):
        OwnImages(path=str(tmp_path)).load().check((1, 12, 12))
    OwnImages(path=str(tmp_path), fit="pad").load().check((1, 12, 12))
    # The size may be the images' own, without the setting.
    with pytest.raises(BorderlineError, match=r"proportions than those of the run, \[12, 24\]"):
        OwnImages(path=str(tmp_path)).load().check((1, 12, 24))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_orientation_of_a_camera_counts(tmp_path: Path, suffix: str) -> None:
    image = Image.new("L", (24, 12))
    orientation = image.getexif()
    orientation[0x0112] = 6
    image.save(tmp_path / f"turned.{suffix}", exif=orientation)
    own = OwnImages(path=str(tmp_path)).load()
    own.check((1, 24, 12))
    with pytest.raises(BorderlineError, match="an image of 12x24 pixels"):
        own.check((1, 12, 24))


def test_an_orientation_behind_the_pixels_is_a_reason(tmp_path: Path) -> None:
    image = Image.new("L", (24, 12))
    orientation = image.getexif()
    orientation[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=orientation)
    content = (tmp_path / "turned.png").read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    last = content.index(b"IEND") - 4
    moved = content[:start] + content[end:last] + content[start:end] + content[last:]
    (tmp_path / "turned.png").write_bytes(moved)
    (reason,) = OwnImages(path=str(tmp_path)).load().pixels((1, 12, 24))
    assert reason == "it has 12x24 pixels, and source.fit is missing"


def test_pixels_beyond_the_range_of_the_source_are_a_reason(tmp_path: Path) -> None:
    for name, greatest in (("inside", 4095), ("outside", 5000)):
        pixels = np.linspace(0, greatest, 144).reshape(12, 12).astype(np.uint16)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    own = OwnImages(path=str(tmp_path), range=[0, 4095]).load()
    inside, outside = own.pixels((1, 12, 12))
    assert isinstance(inside, np.ndarray)
    assert outside == "source.range is [0, 4095], but its pixels go from 0 to 5000"


@pytest.mark.parametrize(("white", "step"), [(1, 256), (255, 256), (4095, 16), (65535, 256)])
def test_file_of_other_bits_than_the_range_has_the_scale_of_its_format(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, white: int, step: int
) -> None:
    """A bright image stays bright, whatever files the run was made from."""
    for value in (np.uint8(180), np.uint16(180 * step)):
        Image.fromarray(np.full((12, 12), value)).save(tmp_path / f"{value.dtype}.png")
    own = OwnImages(path=str(tmp_path), range=[0, white]).load().pixels((1, 12, 12))
    levels = [one.mean() for one in own if not isinstance(one, str)]
    assert levels == pytest.approx([180, 180], abs=1)
    assert "source.range is" in caplog.text
    assert "set source.range" not in caplog.text


def _hounsfield(folder: Path) -> None:
    (folder / "a.dcm").write_bytes(
        dicom(np.full((12, 12), 1164), RescaleSlope=1, RescaleIntercept=-1024)
    )


def _mask(folder: Path) -> None:
    Image.fromarray(np.eye(12, dtype=np.uint8)).save(folder / "a.png")


def _sixteen_bits(folder: Path) -> None:
    Image.fromarray(np.full((12, 12), 150, np.uint16)).save(folder / "a.png")


@pytest.mark.parametrize(
    ("write", "scale"),
    [
        (_hounsfield, [-160, 240]),
        (_hounsfield, [0, 280]),
        (_hounsfield, [0, 200]),
        (_mask, [0, 1]),
        (_sixteen_bits, [0, 255]),
        (_sixteen_bits, [0, 4095]),
    ],
)
def test_files_of_the_source_are_read_as_the_source_reads_them(
    tmp_path: Path, write: Any, scale: list[float]
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    source = ImageSource(kind="image_folder", path=str(tmp_path), range=scale).load()
    own = OwnImages(path=str(tmp_path / "a"), range=scale).load().pixels((1, 12, 12))
    assert isinstance(own[0], np.ndarray)
    of_source = (source.train["images"][0].numpy() + 1) * 127.5
    assert own[0] == pytest.approx(of_source, abs=0.6)

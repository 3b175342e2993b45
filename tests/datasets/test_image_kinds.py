"""Every kind of image source reads the images that were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
from kedro.io import DatasetError
from PIL import Image

import datasets
from borderline.datasets import ImageSource
from borderline.datasets.image_source import SourceImages

CLASSES = ("cat", "dog", "emu")


def pixels(size: int = 12, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Thirty images (N, H, W, C) and their labels."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (30, size, size, channels), np.uint8), np.arange(30) % 3


def write_folder(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / CLASSES[label] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path)


def by_class(source: SourceImages, label: int) -> torch.Tensor:
    return source.train["images"][source.train["labels"] == label]


def expected(images: np.ndarray, labels: np.ndarray, label: int) -> torch.Tensor:
    chosen = np.moveaxis(images[labels == label], -1, 1)
    return torch.from_numpy(chosen.astype(np.float32) / 127.5 - 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_folder_of_each_class(tmp_path: Path, channels: int) -> None:
    images, labels = pixels(channels=channels)
    write_folder(tmp_path, images, labels)
    source = ImageSource(kind="image_folder", path=str(tmp_path)).load()
    assert source.classes == CLASSES
    assert source.test is None
    for label in range(3):
        assert torch.equal(by_class(source, label), expected(images, labels, label))


def test_folders_for_training_and_testing_and_classes_in_another_order(tmp_path: Path) -> None:
    images, labels = pixels()
    write_folder(tmp_path / "train", images[:21], labels[:21])
    write_folder(tmp_path / "test", images[21:], labels[21:])
    classes = ["emu", "cat"]
    source = ImageSource(kind="image_folder", path=str(tmp_path), classes=classes).load()
    assert source.classes == ("emu", "cat")
    assert source.test is not None
    assert len(source.train["labels"]) == 14
    assert len(source.test["labels"]) == 6
    assert torch.equal(by_class(source, 0), expected(images[:21], labels[:21], 2))


def test_images_are_cut_to_a_square_about_their_middle_and_resized(tmp_path: Path) -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255  # the middle is white, what is beside it is cut off
    for name in CLASSES:
        (tmp_path / name).mkdir()
        Image.fromarray(wide).save(tmp_path / name / "wide.png")
    source = ImageSource(kind="image_folder", path=str(tmp_path), size=10, fit="crop").load()
    assert source.train["images"].shape == (3, 3, 10, 10)
    assert torch.equal(source.train["images"][..., 1:-1], torch.ones(3, 3, 10, 8))
    # The filter sees a little of what is beside the square.
    assert float(source.train["images"].min()) > 0.8


def test_grey_and_colour_can_be_asked_for(tmp_path: Path) -> None:
    images, labels = pixels()
    write_folder(tmp_path, images, labels)
    grey = ImageSource(kind="image_folder", path=str(tmp_path), colour="grey").load()
    luma = np.asarray(Image.fromarray(images[0]).convert("L"))
    assert torch.equal(
        by_class(grey, 0)[0, 0], torch.from_numpy(luma.astype(np.float32) / 127.5 - 1)
    )
    np.savez(tmp_path / "arrays.npz", images=images, labels=labels)
    # Arrays are not rounded to 8 bits on their way.
    same = ImageSource(kind="arrays", path=str(tmp_path / "arrays.npz"), colour="grey").load()
    assert (by_class(same, 0) - by_class(grey, 0)).abs().max() < 1.01 / 127.5


def test_pictures_that_cameras_held_askew_and_16_bits_and_palettes(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    upright = np.zeros((12, 12), np.uint8)
    upright[:6] = 200
    turned = Image.fromarray(np.rot90(upright))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise to see it upright
    turned.save(tmp_path / "cat" / "a.png", exif=exif)
    Image.fromarray(upright.astype(np.uint16) * 256).save(tmp_path / "cat" / "b.png")
    Image.fromarray(upright).convert("P").save(tmp_path / "cat" / "c.png")
    source = ImageSource(kind="image_folder", path=str(tmp_path), colour="grey").load()
    for image in source.train["images"]:
        decoded = ((image[0] + 1) * 127.5).round().numpy()
        assert np.array_equal(decoded, upright)


def test_what_can_be_seen_through_is_white(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    ink = np.zeros((12, 12, 4), np.uint8)
    ink[:6, :, 3] = 255  # black ink, and nothing below it
    Image.fromarray(ink).save(tmp_path / "cat/a.png")
    source = ImageSource(kind="image_folder", path=str(tmp_path), colour="grey").load()
    assert source.train["images"][0, 0, :, 0].tolist() == [-1.0] * 6 + [1.0] * 6


def test_pixels_whose_range_nobody_knows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    Image.fromarray(np.full((12, 12), 0.5, np.float32)).save(tmp_path / "cat/a.tiff")
    with pytest.raises(DatasetError, match="its pixels have 32 bits: save it with 8 or 16"):
        ImageSource(kind="image_folder", path=str(tmp_path)).load()


def test_files_of_several_frames_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cat").mkdir()
    image = Image.fromarray(pixels()[0][0])
    image.save(tmp_path / "cat/a.tiff", save_all=True, append_images=[image])
    ImageSource(kind="image_folder", path=str(tmp_path)).load()
    assert "1 images of" in caplog.text
    assert "only the first one is read: cat/a.tiff" in caplog.text


def test_numbers_for_names_are_sorted_and_meant_as_numbers(tmp_path: Path) -> None:
    for name in (1, 2, 10, 3):
        (tmp_path / str(name)).mkdir()
        Image.fromarray(np.full((12, 12), name, np.uint8)).save(tmp_path / str(name) / "a.png")
    source = ImageSource(kind="image_folder", path=str(tmp_path)).load()
    assert source.classes == ("1", "2", "3", "10")
    for name in (1, 10):
        label = source.label_of(name, "pair.positive")
        assert ((by_class(source, label) + 1) * 127.5).round().unique().tolist() == [name]


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ("NHWC", ("images", "labels")),
        ("NCHW", ("x_train", "y_train")),
        ("NHW", ("train_images", "train_labels")),
    ],
)
@pytest.mark.parametrize("file", ["arrays.npz", "folder"])
def test_arrays(tmp_path: Path, shape: str, names: tuple[str, str], file: str) -> None:
    images, labels = pixels(channels=1 if shape == "NHW" else 3)
    array = {"NHWC": images, "NCHW": np.moveaxis(images, -1, 1), "NHW": images[..., 0]}[shape]
    arrays = {names[0]: array, names[1]: labels}
    path = tmp_path / file
    if file == "arrays.npz":
        np.savez(path, **arrays)
    else:
        path.mkdir()
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
    source = ImageSource(kind="arrays", path=str(path)).load()
    assert source.classes == ("0", "1", "2")
    for label in range(3):
        assert torch.equal(by_class(source, label), expected(images, labels, label))


@pytest.mark.parametrize("names", [("val_images", "val_labels"), ("x_val", "y_val")])
def test_validation_arrays_are_marked(tmp_path: Path, names: tuple[str, str]) -> None:
    images, labels = pixels()
    arrays: dict[str, Any] = {"images": images, "labels": labels, "age": labels}
    arrays |= {names[0]: images[:6], names[1]: labels[:6], "val_age": labels[:6] + 10}
    np.savez(tmp_path / "a.npz", **arrays)
    source = ImageSource(kind="arrays", path=str(tmp_path / "a.npz")).load()
    assert source.train["validation"].nonzero()[:, 0].tolist() == list(range(30, 36))
    assert torch.equal(source.train["images"][30:], source.train["images"][:6])
    assert source.train_columns is not None
    assert source.train_columns["age"].tolist() == [*labels, *(labels[:6] + 10)]


@pytest.mark.parametrize(
    ("scale", "given"), [((0, 1), None), ((-1, 1), [-1.0, 1.0]), ((0, 10), [0.0, 10.0])]
)
def test_arrays_of_other_ranges_and_names_for_labels(
    tmp_path: Path, scale: tuple[float, float], given: list[float] | None
) -> None:
    images, labels = pixels()
    values = images / 255 * (scale[1] - scale[0]) + scale[0]
    named = np.array(CLASSES)[labels]
    np.savez(
        tmp_path / "arrays.npz", images=values, labels=named, x_test=values[:4], y_test=named[:4]
    )
    source = ImageSource(kind="arrays", path=str(tmp_path / "arrays.npz"), range=given).load()
    assert source.classes == CLASSES
    assert source.test is not None
    torch.testing.assert_close(by_class(source, 1), expected(images, labels, 1), atol=1e-5, rtol=0)
    assert source.test["labels"].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("splits", [False, True])
def test_hugging_face_folder(tmp_path: Path, splits: bool) -> None:
    images, labels = pixels()
    features = datasets.Features(
        {"picture": datasets.Image(), "animal": datasets.ClassLabel(names=list(CLASSES))}
    )
    rows: dict[str, Any] = {
        "picture": [Image.fromarray(image) for image in images],
        "animal": labels.tolist(),
    }
    saved = datasets.Dataset.from_dict(rows, features=features)
    if splits:
        saved = datasets.DatasetDict({"train": saved, "test": saved.select(range(6))})
    saved.save_to_disk(tmp_path / "saved")
    source = ImageSource(kind="hugging_face", path=str(tmp_path / "saved")).load()
    assert source.classes == CLASSES
    assert (source.test is not None) == splits
    for label in range(3):
        assert torch.equal(by_class(source, label), expected(images, labels, label))


def test_folders_and_arrays_in_a_bucket() -> None:
    fs = fsspec.filesystem("memory")
    images, labels = pixels()
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        with fs.open(f"/bucket/folder/{CLASSES[label]}/{number:03d}.png", "wb") as file:
            Image.fromarray(image).save(file, "PNG")
    with fs.open("/bucket/arrays.npz", "wb") as file:
        np.savez(file, images=images, labels=labels)
    for kind, path in (("image_folder", "folder"), ("arrays", "arrays.npz")):
        source = ImageSource(kind=kind, path=f"memory://bucket/{path}").load()
        assert torch.equal(by_class(source, 2), expected(images, labels, 2))


def test_every_kind_can_be_resized() -> None:
    source = ImageSource(kind="mnist_sample", size=32, colour="rgb").load()
    assert source.train["images"].shape == (5000, 3, 32, 32)
    assert float(source.train["images"].min()) >= -1
    assert float(source.train["images"].max()) <= 1

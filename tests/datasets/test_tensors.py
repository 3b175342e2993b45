from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from borderline.datasets import TensorDataset, TensorFolder
from borderline.datasets.tensors import digest, digest_of_weights


@pytest.mark.parametrize("images", [3, 0])
def test_tensors_come_back_bit_for_bit(tmp_path: Path, images: int) -> None:
    data = {
        "images": torch.rand(images, 3, 8, 8) * 2 - 1,
        "labels": torch.arange(images),
        "reduced": torch.zeros(images, 0, dtype=torch.float64),
    }
    dataset = TensorDataset(filepath=str(tmp_path / "x.safetensors"))
    assert not dataset.exists()
    dataset.save(data)
    loaded = dataset.load()
    assert loaded.keys() == data.keys()
    for name in data:
        assert loaded[name].dtype == data[name].dtype
        assert torch.equal(loaded[name], data[name])


@pytest.mark.parametrize("channels", [1, 3])
def test_preview_is_a_picture_of_the_images(tmp_path: Path, channels: int) -> None:
    dataset = TensorDataset(filepath=str(tmp_path / "x.safetensors"))
    dataset.save({"images": torch.ones(70, channels, 10, 10)})
    picture = Image.open(BytesIO(base64.b64decode(dataset.preview())))
    assert picture.size == (8 * 12 + 2, 8 * 12 + 2)
    assert picture.getpixel((5, 5)) == (255, 255, 255)


def test_preview_without_images_is_empty(tmp_path: Path) -> None:
    dataset = TensorDataset(filepath=str(tmp_path / "x.safetensors"))
    dataset.save({"features": torch.ones(2, 2)})
    assert dataset.preview() == ""


def test_digest_tells_one_bit_apart() -> None:
    x = torch.zeros(10)
    y = x.clone()
    assert digest(x) == digest(y)
    y[3] = 1e-30
    assert digest(x) != digest(y)
    assert digest(x, y) != digest(y, x)


def test_digest_of_weights_follows_buffers_too() -> None:
    network = nn.BatchNorm1d(3)
    before = digest_of_weights(network)
    network(torch.randn(4, 3))
    assert digest_of_weights(network) != before


def part(*values: float) -> dict[str, torch.Tensor]:
    return {"images": torch.tensor(values).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8)}


def test_folder_holds_parts_that_load_one_by_one(tmp_path: Path) -> None:
    folder = TensorFolder(path=str(tmp_path / "images"))
    assert not folder.exists()
    for number in range(3):
        folder.save({f"part_{number:05d}": part(number / 10)})
    folder.save({})
    parts = folder.load()
    assert sorted(parts) == ["part_00000", "part_00001", "part_00002"]
    assert parts["part_00002"]()["images"].unique().item() == pytest.approx(0.2)
    assert base64.b64decode(folder.preview()).startswith(b"\x89PNG")


def test_first_part_begins_the_folder_anew(tmp_path: Path) -> None:
    folder = TensorFolder(path=str(tmp_path / "images"))
    for number in range(3):
        folder.save({f"part_{number:05d}": part(0.1)})
    folder.save({"part_00000": part(0.5)})
    assert sorted(folder.load()) == ["part_00000"]

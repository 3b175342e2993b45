from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from kedro.io import DatasetError

from borderline.datasets import DiffusersFolder
from borderline.datasets.diffusers_folder import packed, unpacked
from borderline.errors import BorderlineError, sentence_in
from diffusion_folders import write_pipeline

pytest.importorskip("diffusers")
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pipeline(tmp_path_factory.mktemp("diffusers") / "ddpm")


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "ddpm"))


def load(folder: Path | str) -> bytes:
    return DiffusersFolder(filepath=str(folder), setting="generators.x.source.path").load()


def refusal(folder: Path | str) -> str:
    with pytest.raises(DatasetError) as raised:
        load(folder)
    return str(sentence_in(raised.value))


def rewritten(file: Path, **changed: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


def test_the_same_files_give_the_same_bytes_wherever_they_are(folder: Path, tmp_path: Path) -> None:
    before = load(folder)
    (folder / "README.md").write_text("It makes digits.")
    os.utime(folder / WEIGHTS, (0, 0))
    assert load(shutil.copytree(folder, tmp_path / "elsewhere")) == before
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    assert load(folder) != before


def test_a_single_variant_takes_the_place_of_the_weights(folder: Path) -> None:
    before = load(folder)
    (folder / WEIGHTS).rename(folder / "unet/diffusion_pytorch_model.fp16.safetensors")
    assert load(folder) == before


def test_weights_in_several_files_are_read_with_their_index(folder: Path) -> None:
    weights = (folder / WEIGHTS).rename(folder / "unet/a-00001-of-00001.safetensors")
    index = folder / f"{WEIGHTS}.index.json"
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": weights.name}}))
    assert set(unpacked(load(folder))) >= {f"unet/{weights.name}", f"{WEIGHTS}.index.json"}
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": "../../secret"}}))
    assert "names no files of weights" in refusal(folder)


def linked(folder: Path) -> None:
    outside = (folder / WEIGHTS).rename(folder.parent / "outside.safetensors")
    (folder / WEIGHTS).symlink_to(outside)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "code": (lambda f: (f / "unet/mine.py").write_text("x"), "holds the code unet/mine.py"),
    "pickle": (
        lambda f: (f / "unet/diffusion_pytorch_model.bin").write_bytes(b"x"),
        "holds unet/diffusion_pytorch_model.bin, a file that can run code",
    ),
    "checkpoint": (lambda f: (f / "MODEL.CKPT").write_bytes(b"x"), "holds MODEL.CKPT"),
    "link": (linked, "is a link that leaves the folder"),
    "linked folder": (lambda f: (f / "more").symlink_to("/usr"), "more is a link that leaves"),
    "no index": (lambda f: (f / "model_index.json").unlink(), "has no model_index.json"),
    "no JSON": (lambda f: (f / "model_index.json").write_text("{"), "is no whole JSON object"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "cannot be read"),
    "empty weights": (lambda f: (f / WEIGHTS).write_bytes(b""), "is empty (0 bytes)"),
    "no config": (lambda f: (f / "unet/config.json").unlink(), "unet/config.json cannot be read"),
    "other pipeline": (
        lambda f: rewritten(f / "model_index.json", _class_name="StableDiffusionPipeline"),
        "names the pipeline 'StableDiffusionPipeline'",
    ),
    "custom pipeline": (
        lambda f: rewritten(f / "model_index.json", _class_name=["mine", "Pipeline"]),
        "names the pipeline",
    ),
    "foreign class": (
        lambda f: rewritten(f / "model_index.json", unet=["mine", "UNet2DModel"]),
        "names 'UNet2DModel' of 'mine' as its unet",
    ),
    "another class": (
        lambda f: rewritten(f / "model_index.json", unet=["diffusers", "UNet1DModel"]),
        "names 'UNet1DModel' of 'diffusers' as its unet",
    ),
    "another part": (
        lambda f: rewritten(f / "model_index.json", text_encoder=["transformers", "X"]),
        "names 'X' of 'transformers' as its text_encoder",
    ),
    "no scheduler": (
        lambda f: rewritten(f / "model_index.json", scheduler=[None, None]),
        "as its scheduler",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_is_no_whole_pipeline_is_refused(folder: Path, fault: str) -> None:
    spoil, words = FAULTS[fault]
    spoil(folder)
    sentence = refusal(folder)
    assert words in sentence
    assert sentence.startswith(f"generators.x.source.path is {str(folder)!r}, ")


@pytest.mark.parametrize("path", ["nowhere", "google/ddpm-cifar10-32", "s3://bucket/ddpm"])
def test_nothing_is_downloaded(path: str) -> None:
    assert "nothing is downloaded" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"weights", packed({"a": b"1"})[:-9]])
def test_bytes_that_are_no_archive_are_refused(content: bytes) -> None:
    with pytest.raises(BorderlineError, match="no folder of a pipeline"):
        unpacked(content)


def test_an_archive_that_grows_when_it_is_read_is_refused() -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("unet/config.json", bytes(10_000))
    with pytest.raises(BorderlineError, match="no folder of a pipeline"):
        unpacked(content.getvalue())

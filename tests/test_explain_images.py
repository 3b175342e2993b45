"""A folder of the user's images, explained on a finished run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from borderline.datasets import ImageSource
from conftest import MODELS, SETTINGS, reporting_folder, run_here

pytestmark = pytest.mark.road


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two digits, larger than those of the run, noise, and a file that cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    source = ImageSource(kind="mnist_sample").load().train
    rows = ((source["labels"] == 7) | (source["labels"] == 1)).nonzero()[:2, 0]
    for row in rows.tolist():
        pixels = ((source["images"][row, 0] + 1) * 127.5).round().byte().numpy()
        Image.fromarray(pixels).resize((56, 56)).save(folder / f"{row}.png")
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    (folder / "broken.png").write_text("no image")
    return folder


def explain(project: Path, folder: object, *more: str) -> str:
    arguments = ("--env", "test", "--pipelines", "explain_images")
    settings = ",".join([SETTINGS, f"images={folder}", *more])
    result = run_here(project, *arguments, "--params", settings)
    return str(result.output)


def test_own_images_are_explained_on_a_finished_run(again: Path, photos: Path) -> None:
    reporting = reporting_folder(again)
    before = {path: path.read_bytes() for path in reporting.rglob("*") if path.is_file()}
    explain(again, photos)
    for model in MODELS:
        (results,) = (reporting / model / "images").iterdir()
        assert results.name.startswith("photos_")
        table = pd.read_csv(results / "images.csv", dtype={"image": str})
        assert len(table) == 4
        notes = table.set_index("image")["note"].fillna("")
        assert notes["noise.png"].startswith("not of the pair: farther from the training")
        # The committee of a test learns little, and may take a digit for one of another class.
        assert not notes["500.png"].startswith("not of the pair: farther")
        assert "broken.png" in (results / "images.html").read_text()
        first = (results / "images.csv").read_bytes()
    # Nothing else has changed, another folder has its own results, and the same seed the same ones.
    assert {path: path.read_bytes() for path in before} == before
    other = shutil.copytree(photos, photos.parent / "other")
    explain(again, other)
    assert len(list((reporting / MODELS[0] / "images").iterdir())) == 2
    explain(again, photos)
    assert (results / "images.csv").read_bytes() == first
    assert sorted(path.name for path in photos.iterdir())[-2:] == ["broken.png", "noise.png"]


def test_bad_folders_end_before_the_run(again: Path, photos: Path) -> None:
    (photos.parent / "empty").mkdir()
    (photos.parent / "text").write_text("text")
    for folder, words in (
        ("null", "images is missing"),
        (photos.parent / "nowhere", "is not there"),
        (photos.parent / "empty", "no image lies there"),
        (photos.parent / "text", "is a file"),
    ):
        output = explain(again, folder)
        assert words in " ".join(output.split()), output
    assert not list(reporting_folder(again).glob("*/images"))

"""Colour images that are not square go the whole road, from image files to a suite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from borderline.suites.folder import read_suite
from conftest import cut_short, run_here

# In a band this wide every image is borderline, so that every stage has something to do.
BORDERLINE = "confusion.band=0.49"


def write_folder(folder: Path, height: int, width: int) -> None:
    """Three classes of coloured images, of which the darker half is on the left of two of them."""
    random = np.random.default_rng(0)
    for colour, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(80):
            pixels = random.integers(0, 60, (height, width, 3))
            pixels[..., colour] += random.integers(100, 190)
            pixels[:, : width // 2] //= 1 + number % 2
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")


@pytest.mark.road
@pytest.mark.parametrize(("height", "width"), [(16, 40), (40, 16)])
def test_images_keep_their_shape_on_the_whole_road(project: Path, height: int, width: int) -> None:
    write_folder(project / "images", height, width)
    about = {
        "data_folder": "data/test",
        "dataset": "colours",
        "source": {"kind": "image_folder", "path": "images"},
        "pair": {"positive": "red", "negative": "blue"},
    }
    (project / "conf/test/globals.yml").write_text(yaml.safe_dump(about))
    result = run_here(cut_short(project), "--env", "test", "--params", BORDERLINE, drawn=True)
    assert result.exit_code == 0, result.output
    for beside in ("suite", "rating", "gate"):
        result = run_here(project, "--env", "test", "--pipelines", beside, "--params", BORDERLINE)
        assert result.exit_code == 0, result.output
    data = project / "data/test"
    case = data / "07_model_output/colours_redvblue/cnn_1"
    prototypes = load_file(case / "prototypes.safetensors")
    assert len(prototypes["images"]) >= 2
    assert prototypes["images"].shape[1:] == (3, height, width)
    for attributions in load_file(case / "attributions.safetensors").values():
        assert attributions.shape == (len(prototypes["images"]), height, width)
        assert torch.isfinite(attributions).all()
    reporting = data / "08_reporting/colours_redvblue"
    summary = pd.read_csv(reporting / "summary.csv")
    assert (summary["prototypes"] >= 2).all()
    (suite,) = (path.parent for path in project.rglob("suite.json"))
    assert read_suite(str(suite)).images.shape[1:] == (3, height, width)
    # The page shows them in their proportions.
    stretch = f"--stretch: {(width / height) ** 0.5:.4f}"
    for page in ("report.html", "rating.html"):
        assert all(stretch in found.read_text() for found in reporting.rglob(page)), page

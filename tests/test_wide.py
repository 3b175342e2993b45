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

# In a band this wide every image is borderline, so that every stage has something to do. The model
# decides at another threshold than 0.5, and is right about some images of both classes.
SETTINGS = {
    "confusion": {"threshold": 0.2, "band": 15, "scale": "logit"},
    "classifier": {"learning_rate": 0.02, "epochs": 6},
    # A judge of one epoch is sure of nothing.
    "verdicts": {"unrealistic": 0.999, "split": 0.02, "sure": 0.99, "beside": 0.99},
}


def prepared(project: Path, height: int, width: int) -> Path:
    """More red than blue, more blue than red, or green: blends of the first two are realistic."""
    random = np.random.default_rng(0)
    for name, colours in (("red", (0.5, 1)), ("blue", (0, 0.5)), ("green", (0, 0))):
        (project / "images" / name).mkdir(parents=True)
        for number, red in enumerate(random.uniform(*colours, 80)):
            colour = (0, 200, 0) if name == "green" else (200 * red, 0, 200 * (1 - red))
            pixels = random.integers(0, 40, (height, width, 3)) + np.array(colour, int)
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(project / "images" / name / f"{number}.png")
    about = {
        "data_folder": "data/test",
        "dataset": "colours",
        "source": {"kind": "image_folder", "path": "images"},
        "pair": {"positive": "red", "negative": "blue"},
    }
    (project / "conf/test/globals.yml").write_text(yaml.safe_dump(about))
    return change(cut_short(project), **SETTINGS)


def change(project: Path, **groups: dict[str, object]) -> Path:
    path = project / "conf/test/parameters.yml"
    settings = yaml.safe_load(path.read_text())
    for name, group in groups.items():
        settings[name] = settings.get(name, {}) | group
    path.write_text(yaml.safe_dump(settings))
    return project


def check_results(project: Path, height: int, width: int) -> None:
    data = project / "data/test"
    case = data / "07_model_output/colours_redvblue/cnn_1"
    prototypes = load_file(case / "prototypes.safetensors")
    assert prototypes["images"].shape[1:] == (3, height, width)
    assert len(prototypes["images"]) >= 2
    for attributions in load_file(case / "attributions.safetensors").values():
        assert attributions.shape == (len(prototypes["images"]), height, width)
        assert torch.isfinite(attributions).all()
    summary = pd.read_csv(data / "08_reporting/colours_redvblue/summary.csv")
    assert (summary["prototypes"] >= 2).all()
    assert summary["accuracy"].between(0, 1).all()
    assert_shown(data, "report.html", height, width)


def assert_shown(data: Path, page: str, height: int, width: int) -> None:
    """A page shows the images in their proportions."""
    pages = list(data.rglob(page))
    assert pages
    for found in pages:
        assert f"--stretch: {(width / height) ** 0.5:.4f}" in found.read_text()


@pytest.mark.road
def test_wide_images_go_the_whole_road(project: Path) -> None:
    result = run_here(prepared(project, 16, 40), "--env", "test", drawn=True)
    assert result.exit_code == 0, result.output
    check_results(project, 16, 40)
    samples = load_file(next((project / "data/test").rglob("gasten_10/images/*.safetensors")))
    assert samples["images"].shape[1:] == (3, 16, 40)


@pytest.mark.road
def test_upright_images_become_a_suite_that_the_model_passes_again(project: Path) -> None:
    change(prepared(project, 40, 17), grid={"generators": ["pixel_bisection"]})
    for stages in ([], ["--pipelines", "suite"], ["--pipelines", "rating,report,gate"]):
        result = run_here(project, "--env", "test", *stages)
        assert result.exit_code == 0, result.output
    check_results(project, 40, 17)
    (suite,) = (path.parent for path in project.rglob("suite.json"))
    assert read_suite(str(suite)).images.shape[1:] == (3, 40, 17)
    assert_shown(project / "data/test", "rating.html", 40, 17)

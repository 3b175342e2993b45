"""A pipeline of diffusers goes the whole road, as it is and as a space to search."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from conftest import reporting_folder, run_here
from diffusion_folders import write_pipeline

pytest.importorskip("diffusers")
IMAGES, STEPS, BUDGET = 100, 2, 3000


@pytest.fixture
def with_pipeline(project: Path) -> Path:
    """A project whose test environment has a pipeline as its generator."""
    write_pipeline(project / "ddpm")
    path = project / "conf/test/parameters.yml"
    settings = yaml.safe_load(path.read_text())
    source = {"kind": "diffusers", "path": "ddpm", "steps": STEPS}
    settings["grid"] = {"models": ["cnn_1"], "generators": ["ddpm", "searched", "pixel_bisection"]}
    settings["generators"] = {
        "ddpm": {"kind": "imported", "source": source, "fit": True},
        "searched": {"kind": "latent_search", "space_of": "ddpm", "budget": BUDGET},
    }
    settings["generation"]["images"] = IMAGES
    path.write_text(yaml.safe_dump(settings))
    return project


@pytest.mark.road
def test_a_pipeline_goes_the_whole_road(with_pipeline: Path) -> None:
    project = with_pipeline
    result = run_here(project, "--env", "test")
    assert result.exit_code == 0, result.output
    board = pd.read_csv(reporting_folder(project) / "cnn_1/leaderboard.csv").set_index("source")
    # Each image takes as many passes as steps.
    assert board.loc["ddpm", "evaluations"] == STEPS * IMAGES
    assert STEPS * board.loc["searched", "images"] < board.loc["searched", "evaluations"] <= BUDGET
    assert board.loc["pixel_bisection", "evaluations"] == 0
    assert pd.isna(board.loc["real images", "evaluations"])
    (part,) = project.rglob("cnn_1/ddpm/images/part_*.safetensors")
    assert load_file(part)["images"].shape == (IMAGES, 1, 28, 28)
    # Later stages need the folder no more, but notice other weights in its place.
    (project / "ddpm").rename(project / "away")
    stages = "--env", "test", "--pipelines", "report"
    assert run_here(project, *stages).exit_code == 0
    (project / "away").rename(project / "ddpm")
    weights = project / "ddpm/unet/diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    changed = run_here(project, *stages)
    assert changed.exit_code == 1
    assert "cnn_1.ddpm.imported_file has another content" in changed.stderr


@pytest.mark.parametrize(
    ("file", "setting", "words"),
    [
        ("ddpm/unet/model.py", "", "holds the code unet/model.py"),
        ("ddpm/unet/weights.bin", "", "a file that can run code when it is read"),
        ("", "generators.ddpm.source.steps=0", "generators.ddpm.source.steps is 0, but it must be"),
        (
            "",
            "generators.ddpm.source.steps=101,generators.searched.budget=null",
            "source.steps is 101, but the pipeline was",
        ),
        ("", "generators.ddpm.source.path=dpm", "there is no such folder on this machine"),
        ("", "generators.searched.budget=127", "a search decodes at least 64 images, of 2"),
        ("", "generators.searched.budget=0", "generators.searched.budget is 0"),
    ],
)
def test_bad_input_is_one_sentence_before_the_run(
    with_pipeline: Path, file: str, setting: str, words: str
) -> None:
    if file:
        (with_pipeline / file).write_bytes(b"x")
    result = run_here(with_pipeline, "--env", "test", *(["--params", setting] if setting else []))
    assert result.exit_code == 1
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not list(with_pipeline.rglob("part_*.safetensors"))

"""The whole road, driven as users drive it: ``kedro run --env test`` on real digits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from borderline.datasets import CheckpointDataset, PickleDataset
from borderline.pipeline_registry import STAGES
from conftest import ROOT, copy_project, kedro_run, kedro_run_command

pytestmark = pytest.mark.road

CASE = "mnist_sample_7v1"
MODELS = ("cnn_1", "mlp_4")
GENERATORS = ("gasten_10", "gasten_25")
EPOCHS = "gan.epochs=6,generators.gasten_10.epochs=6"


def models_folder(project: Path) -> Path:
    return project / "data/test/06_models" / CASE


def reporting_folder(project: Path) -> Path:
    return project / "data/test/08_reporting" / CASE


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after one uninterrupted run."""
    project = copy_project(tmp_path_factory.mktemp("whole") / "project")
    result = kedro_run(project, "--env", "test", "--params", EPOCHS)
    assert result.returncode == 0, result.stdout + result.stderr
    (project / "output.txt").write_text(result.stdout)
    return project


def kill_when(project: Path, appears: Path, *arguments: str) -> None:
    """Run until a file appears, then SIGKILL."""
    process = subprocess.Popen(
        kedro_run_command(*arguments),
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not appears.exists():
        assert process.poll() is None, f"the run ended before {appears.name} appeared"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose trainings were killed in steps 1 and 2, then driven stage by stage."""
    project = copy_project(tmp_path_factory.mktemp("interrupted") / "project")
    arguments = ["--env", "test", "--params", EPOCHS]
    for folder in ("gan", "cnn_1/gasten_10"):
        checkpoints = models_folder(project) / folder / "checkpoints"
        kill_when(
            project,
            checkpoints / "epoch_0002.pt",
            *arguments,
            "--pipelines",
            "classifier,gasten",
        )
        assert not (checkpoints / "epoch_0006.pt").exists(), "the kill came too late to mean much"
    for stage in STAGES:
        result = kedro_run(project, *arguments, "--pipeline", stage)
        assert result.returncode == 0, result.stdout + result.stderr
    return project


def test_whole_road_leaves_every_result(whole: Path) -> None:
    summary = pd.read_csv(reporting_folder(whole) / "summary.csv")
    assert tuple(summary["model"]) == MODELS
    assert (summary["images"] == 300).all()
    assert summary["yield"].between(0, 1).all()
    for model, generator in [(m, g) for m in MODELS for g in GENERATORS]:
        history = pd.read_csv(reporting_folder(whole) / model / generator / "history.csv")
        assert history["epoch"].tolist() == list(range(1, len(history) + 1))
        samples = reporting_folder(whole) / model / generator / "samples"
        assert len(list(samples.glob("*.png"))) == len(history)
    for model in MODELS:
        for picture in ("classifier", "borderline", "clusters", "prototypes", "map"):
            path = reporting_folder(whole) / model / f"{picture}.png"
            assert path.read_bytes().startswith(b"\x89PNG")


def test_run_ends_with_a_table_and_the_place_of_the_pictures(whole: Path) -> None:
    output = (whole / "output.txt").read_text()
    for word in ("What the run found", *MODELS, "yield", "silhouette", "N=300", "Pictures:"):
        assert word in output
    assert str(reporting_folder(whole) / "cnn_1") in output


def test_stages_alone_and_killed_trainings_give_the_same_bits(
    whole: Path, interrupted: Path
) -> None:
    folder = reporting_folder(whole)
    tables = {path.relative_to(folder) for path in folder.rglob("*.csv")}
    assert len(tables) > 20
    for table in tables:
        expected = (folder / table).read_bytes()
        assert (reporting_folder(interrupted) / table).read_bytes() == expected, table

    for model, generator in [(m, g) for m in MODELS for g in GENERATORS]:
        name = f"{model}/{generator}/generator.pickle"
        one, other = (
            PickleDataset(filepath=str(models_folder(p) / name)).load().state_dict()
            for p in (whole, interrupted)
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_killed_run_leaves_no_half_written_checkpoint(interrupted: Path) -> None:
    checkpoints = [
        path for path in models_folder(interrupted).rglob("*.pt") if not path.name.startswith(".")
    ]
    assert len(checkpoints) > 10
    for path in checkpoints:
        assert CheckpointDataset(filepath=str(path)).load()["epoch"] == int(path.stem[-4:])


def test_second_run_reuses_trainings_and_searches(whole: Path) -> None:
    checkpoints = models_folder(whole) / "gan" / "checkpoints"
    first = (checkpoints / "epoch_0001.pt").stat().st_mtime_ns
    summary = (reporting_folder(whole) / "summary.csv").read_bytes()
    result = kedro_run(whole, "--env", "test", "--params", EPOCHS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (checkpoints / "epoch_0001.pt").stat().st_mtime_ns == first
    assert (reporting_folder(whole) / "summary.csv").read_bytes() == summary
    assert "search_clusters 1/2" not in result.stdout


def test_tour_notebook_runs_on_what_the_run_left(whole: Path) -> None:
    notebooks = whole / "notebooks"
    shutil.copytree(ROOT / "notebooks", notebooks, dirs_exist_ok=True)
    for notebook in sorted(notebooks.glob("*.ipynb")):
        content = json.loads(notebook.read_text())
        assert all(not cell.get("outputs") for cell in content["cells"]), "strip the outputs"
        subprocess.run(
            [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", notebook.name],
            cwd=notebooks,
            env=os.environ | {"KEDRO_ENV": "test"},
            check=True,
        )


def test_too_few_borderline_images_are_said_and_no_crash(whole: Path) -> None:
    result = kedro_run(whole, "--env", "test", "--params", f"{EPOCHS},confusion.band=0.00001")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "fewer than" in result.stdout
    history = pd.read_csv(reporting_folder(whole) / "cnn_1/gasten_10/history.csv")
    assert set(history["band"]) == {0.1}, "each row says what band its yield was measured with"
    summary = pd.read_csv(reporting_folder(whole) / "summary.csv")
    assert (summary["prototypes"] == 0).all()
    assert summary["note"].str.contains("clustering.fewest_images").all()

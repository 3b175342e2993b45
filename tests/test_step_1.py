"""Step 1 in other ways than once, here, from its last epoch."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from borderline.datasets import CheckpointDataset, ModelDataset, TensorFolder
from conftest import models_folder, reporting_folder, run_here

pytestmark = pytest.mark.road
TRAIN = ("--env", "test", "--pipelines", "classifier,gasten")
MEASURE = ("--env", "test", "--pipelines", "classifier,gasten,metrics")


@pytest.fixture
def project(project: Path) -> Path:
    """One judge is enough here."""
    configure(project, "parameters", judge_kinds={"lenet": {"members": 1, "epochs": 1}})
    return project


def configure(project: Path, file: str, **entries: object) -> None:
    path = project / f"conf/test/{file}.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | entries))


def images_of(project: Path, generator: str) -> torch.Tensor:
    folder = project / "data/test/07_model_output/mnist_sample_7v1/cnn_1" / generator / "images"
    return TensorFolder(path=str(folder)).load()["part_00000"]()["images"]


def test_step_1_from_elsewhere_is_only_read(whole: Path, project: Path) -> None:
    given = models_folder(whole) / "gan/checkpoints/epoch_0002.pt"
    before = given.read_bytes()
    grid = {"models": ["cnn_1"], "generators": ["gasten_10", "latent_search"]}
    configure(project, "parameters", grid=grid)
    configure(project, "globals", step_1_checkpoints=str(given))
    result = run_here(project, *TRAIN)
    assert result.exit_code == 0, result.output
    assert given.read_bytes() == before
    assert not (models_folder(project) / "gan").exists()
    start = models_folder(project) / "cnn_1/gasten_10/checkpoints/epoch_0000.pt"
    ours, theirs = (
        CheckpointDataset(filepath=str(path)).load()["state"] for path in (start, given)
    )
    for name, weights in theirs["generator"].items():
        assert torch.equal(ours["generator"][name], weights)
    searched = ModelDataset(
        filepath=str(models_folder(project) / "cnn_1/latent_search/generator.safetensors")
    ).load()
    for name, weights in searched.state_dict().items():
        assert torch.equal(weights, theirs["generator"][name])

    result = run_here(project, *TRAIN, "--params", "gan.batch_size=64")
    assert result.exit_code == 1
    assert "gan.batch_size is 64, but the checkpoints" in " ".join(result.stderr.split())

    # What is given does not repeat, so repetitions differ from step 2 on.
    result = run_here(project, *TRAIN, "--params", "grid.runs=2")
    assert result.exit_code == 0, result.output
    images = [images_of(project, name) for name in ("gasten_10", "gasten_10_run_2")]
    assert not torch.equal(*images)

    configure(project, "globals", step_1_checkpoints=str(given.with_name("epoch_0001.pt")))
    result = run_here(project, "--env", "test", "--pipelines", "metrics")
    assert "gasten last ran with" in " ".join(result.stderr.split())
    configure(project, "globals", step_1_checkpoints=str(given))

    for setting, words in {
        "gan.epochs=1": "gan.epochs is 1, but step_1_checkpoints",
        "gan.filters=5": "networks are not those of gan.architecture 'dcgan', gan.filters 5",
        "pair.positive=9": "pair.positive is 9, but step_1_checkpoints",
    }.items():
        result = run_here(project, *TRAIN, "--params", setting)
        assert result.exit_code == 1
        assert words in " ".join(result.stderr.split())


def test_repetitions_and_starts_are_generators_of_their_own(project: Path) -> None:
    grid = {"models": ["cnn_1"], "generators": ["gasten_10", "hybrid"], "runs": 2}
    configure(project, "parameters", grid=grid)
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text())
    parameters["generators"]["gasten_10"] = {"epochs": 1, "start": [1, "last"]}
    parameters["generators"]["hybrid"] = {"space_of": "gasten_10_from_1"}
    path.write_text(yaml.safe_dump(parameters))
    result = run_here(project, *MEASURE)
    assert result.exit_code == 0, result.output
    names = ["gasten_10_from_1", "gasten_10_from_last", "hybrid"]
    names += [f"{name}_run_2" for name in names]
    leaderboard = pd.read_csv(reporting_folder(project) / "cnn_1/leaderboard.csv")
    assert leaderboard["source"].tolist() == [*names, "real images"]
    images = [images_of(project, name) for name in names if "hybrid" not in name]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])

    # The first repetition is the run itself.
    configure(project, "globals", data_folder="data/once")
    tuned = "cnn_1.gasten.gasten_10_from_1.keep_networks"
    result = run_here(project, *TRAIN, "--to-nodes", tuned, "--params", "grid.runs=1")
    assert result.exit_code == 0, result.output
    once = (
        project
        / "data/once/06_models/mnist_sample_7v1/cnn_1/gasten_10_from_1/generator.safetensors"
    )
    alone, repeated = (
        ModelDataset(filepath=str(path)).load().state_dict()
        for path in (once, models_folder(project) / "cnn_1/gasten_10_from_1/generator.safetensors")
    )
    assert all(torch.equal(alone[name], repeated[name]) for name in alone)


def test_generator_that_diverges_is_noted_and_the_others_go_on(project: Path) -> None:
    grid = {"models": ["cnn_1"], "generators": ["gasten_10", "gasten_25"]}
    configure(project, "parameters", grid=grid)
    broken = "generators.gasten_25.alpha=1e39"
    result = run_here(project, *MEASURE, "--params", broken)
    assert result.exit_code == 0, result.output
    leaderboard = pd.read_csv(reporting_folder(project) / "cnn_1/leaderboard.csv")
    notes = leaderboard.set_index("source")["note"].fillna("")
    assert notes["gasten_10"] == ""
    assert "no longer a finite number in epoch 1" in notes["gasten_25"]
    assert "no longer a finite number in epoch 1" in " ".join(result.stdout.split())
    assert len(images_of(project, "gasten_25")) == 300
    checkpoints = models_folder(project) / "cnn_1/gasten_25/checkpoints"
    assert [path.stem for path in checkpoints.glob("epoch_*.pt")] == ["epoch_0000"]

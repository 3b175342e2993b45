"""A run that was killed, or driven stage by stage, ends with the bits of one that was not.

It reuses what is there.
"""

from __future__ import annotations

import functools
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import Result

from borderline.datasets import CheckpointDataset, ModelDataset
from borderline.pipeline_registry import STAGES
from borderline.pipelines.report import nodes
from borderline.preflight import inputs
from conftest import (
    KILLS,
    LONG_ENOUGH,
    MODELS,
    assert_same_tables,
    kedro_run_command,
    models_folder,
    reporting_folder,
    run_here,
)

pytestmark = pytest.mark.road

MODEL = MODELS[0]


def kill_in(project: Path, checkpoints: Path) -> None:
    """Run until a training has left one more checkpoint, then SIGKILL at some later moment."""
    last = 1 + max([int(path.stem[-4:]) for path in checkpoints.glob("epoch_*.pt")], default=0)
    appears = checkpoints / f"epoch_{last:04d}.pt"
    process = subprocess.Popen(
        kedro_run_command("--env", "test", "--pipelines", "classifier,gasten"),
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not appears.exists():
        assert process.poll() is None, f"the run ended before {appears.name} appeared"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    # An epoch takes about as long: the kill comes in the middle of steps, figures or saving.
    time.sleep(random.uniform(0, 0.3))
    process.kill()
    process.wait()


def interrupted(short: Path, folder: Path) -> Path:
    """A project whose training was killed in step 2, then driven stage by stage.

    It begins with the trainings before step 2 and the search for clusters of the finished project:
    what is there is reused.
    """
    project = Path(shutil.copytree(short, folder))
    for results in (reporting_folder(project), project / "data/test/07_model_output"):
        shutil.rmtree(results)
    kept = models_folder(project) / "gan/checkpoints/epoch_0001.pt"
    trained = kept.stat().st_mtime_ns
    # The first kill in step 1 is that of test_sweep.py, which compares the results too.
    for name, kills in (("gan", KILLS - 1), (f"{MODEL}/gasten_10", KILLS)):
        checkpoints = models_folder(project) / name / "checkpoints"
        if kills:
            shutil.rmtree(checkpoints.parent)
        for _ in range(kills):
            kill_in(project, checkpoints)
        names = [path.stem for path in checkpoints.glob("epoch_*.pt")]
        assert kills == 0 or len(names) < LONG_ENOUGH, "the kills came too late to mean much"
    for stage in STAGES:
        result = run_here(project, "--env", "test", "--pipelines", stage)
        assert result.exit_code == 0, result.output
        assert "search_clusters 1/2" not in result.stdout
    assert KILLS > 1 or kept.stat().st_mtime_ns == trained
    return project


def test_stages_alone_and_killed_trainings_give_the_same_bits(short: Path, tmp_path: Path) -> None:
    project = interrupted(short, tmp_path / "project")
    # Every table of the run that nobody killed is there.
    assert_same_tables(reporting_folder(project), reporting_folder(short), least=35)

    one, other = (
        ModelDataset(filepath=str(models_folder(p) / MODEL / "gasten_10/generator.safetensors"))
        .load()
        .state_dict()
        for p in (short, project)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)

    checkpoints = [
        path for path in models_folder(project).rglob("*.pt") if not path.name.startswith(".")
    ]
    assert len(checkpoints) > 10
    for path in checkpoints:
        assert CheckpointDataset(filepath=str(path)).load()["epoch"] == int(path.stem[-4:])


def ran(result: Result) -> list[str]:
    """The names of the nodes that have run."""
    return re.findall(r"Completed node: (\S+)", " ".join(result.output.split()))


def run_missing(project: Path, *arguments: str) -> Result:
    return run_here(project, "--env", "test", "--only-missing-outputs", *arguments)


def test_finished_nodes_do_not_run_again(short: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(short, tmp_path / "project"))
    made = {path: path.stat().st_mtime_ns for path in project.rglob("images/part_*")}
    assert made
    result = run_missing(project, "--pipelines", "classifier,gasten")
    assert (result.exit_code, ran(result)) == (0, []), result.output
    assert "nothing is to do" in result.output

    @functools.wraps(nodes.summarise)
    def fail(**_: object) -> None:
        raise RuntimeError("killed")

    first = f"{MODEL}.prototypes.tip_prototypes"
    (models_folder(project) / "ledger" / f"{first}.json").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "summarise", fail)
        broken = run_missing(project)
    assert isinstance(broken.exception, RuntimeError), broken.output
    assert first in ran(broken)
    assert f"{MODEL}.prototypes.select_prototypes" not in ran(broken)
    rest = run_missing(project)
    assert rest.exit_code == 0, rest.output
    assert first not in ran(rest), "it had finished when the run ended"
    assert "report.html" in rest.output
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert_same_tables(reporting_folder(short), reporting_folder(project), least=35)


def test_a_changed_result_is_named_though_its_node_would_not_run(
    short: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(short, tmp_path / "project"))
    table = reporting_folder(project) / MODEL / "leaderboard.csv"
    table.write_text(table.read_text() + "\n")
    result = run_missing(project)
    assert result.exit_code == 1
    assert "leaderboard.csv was changed" in " ".join(result.output.split())


def test_changed_names_and_columns_are_no_finished_result(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path(shutil.copytree(short, tmp_path / "project"))
    environment = project / "conf/test/globals.yml"
    before = environment.read_text()
    values = yaml.safe_load(before) | {"source": {"kind": "mnist_sample", "name": "Digits"}}
    environment.write_text(yaml.safe_dump(values))
    refused = run_here(project, "--env", "test", "--pipelines", "report")
    assert refused.exit_code == 1
    assert re.search(r"source\.name is 'Digits', but classifier last ran with", refused.stderr)

    environment.write_text(before)
    assert ran(run_missing(project, "--pipelines", "classifier")) == []
    values["source"] |= {"classes": [str(digit) for digit in range(9, -1, -1)]}
    environment.write_text(yaml.safe_dump(values))
    refused = run_here(project, "--env", "test", "--pipelines", "report")
    assert re.search(r"source\.classes is .*set it back, or set dataset in", refused.stderr)

    environment.write_text(before)
    monkeypatch.setattr(inputs, "digest_of_words", lambda _: "0123456789abcdef")
    refused = run_here(project, "--env", "test", "--pipelines", "metrics")
    assert refused.exit_code == 1
    assert "source.names and columns has another content than when classifier" in refused.stderr
    assert "classifier.select_pair" in ran(run_missing(project, "--pipelines", "classifier"))


def test_other_images_are_refused_though_no_node_would_read_them(
    short: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(short, tmp_path / "project"))
    source = models_folder(project) / "ledger/source.json"
    source.write_text(re.sub('"digest": "[^"]*"', '"digest": "other"', source.read_text()))
    result = run_missing(project, "--pipelines", "classifier,gasten")
    assert result.exit_code == 1, result.output
    assert "images" in result.output
    assert ran(result) == []

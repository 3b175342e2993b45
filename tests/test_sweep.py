"""A sweep: a failure costs its own rows, a kill costs nothing, the table is that of the runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Literal

import pandas as pd
import psutil
import pytest
import torch
from click.testing import CliRunner
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from rich.console import Console
from safetensors.torch import save_file

from borderline.cli import cli
from borderline.datasets import CSVDataset, JSONDataset
from borderline.datasets.digests import digests_of
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.sweeps.command import damaged_runs
from borderline.sweeps.pairs import pair_of
from borderline.sweeps.plan import Plan, SweepRun, make_plan, make_plans
from borderline.sweeps.process import Outcome, outcome_of
from borderline.sweeps.state import Failure, Record, State, StateFile
from borderline.sweeps.sweep_run import run_without_failures, sentence_of
from borderline.sweeps.tables import changed_table, for_console, gather, joined, over_seeds, picture
from conftest import copy_code, copy_project, kedro_here, run_here, start_kedro

SWEEP_RUN = SweepRun(7, 1, 0)


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    start_kedro()
    return project


@pytest.mark.parametrize(
    ("word", "classes", "pair"),
    [
        ("3v0", "0123", (3, 0)),
        ("01v02", ["01", "02", "03"], ("01", "02")),
        ("catv01", ["01", "cat"], ("cat", "01")),
    ],
)
def test_names_of_classes_in_a_pair_stay_as_written(
    word: str, classes: Sequence[str], pair: tuple[int | str, int | str]
) -> None:
    images = {"images": torch.zeros(1), "labels": torch.zeros(1)}
    assert pair_of(word, SourceImages("toy", tuple(classes), images, None)) == pair  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shared_plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    project = copy_project(tmp_path_factory.mktemp("sweep") / "project")
    start_kedro()
    return make_plan(project, env="test", seeds="0,1")


@pytest.fixture
def plan(shared_plan: Plan, tmp_path: Path) -> Plan:
    return replace(shared_plan, folder=tmp_path / "sweeps/test")


def test_options_replace_the_settings_of_the_environment(here: Path) -> None:
    plan = make_plan(
        here,
        env="test",
        pairs="3v0,5v7",
        seeds="2,0",
        models="cnn_4",
        generators="gasten_10,hybrid",
        name="mine",
        params={"gan": {"epochs": 2}, "grid": {"runs": 2}},
    )
    assert [sweep_run.name for sweep_run in plan.sweep_runs] == [
        *("3v0_seed_2", "3v0_seed_0", "5v7_seed_2", "5v7_seed_0"),
    ]
    assert plan.generators == {
        "gasten_10": ("gasten_10", "gasten_10_run_2"),
        "hybrid": ("hybrid", "hybrid_run_2"),
    }
    assert plan.reporting(plan.sweep_runs[0]) == (
        here / "data/test/sweeps/mine/seed_2/08_reporting/mnist_sample_3v0"
    )
    assert plan.settings_of(plan.sweep_runs[0], ["cnn_4"], ["hybrid"]) == {
        "run": {"seed": 2},
        "pair": {"positive": 3, "negative": 0},
        "grid": {"models": ["cnn_4"], "generators": ["hybrid"], "runs": 2},
        "gan": {"epochs": 2},
        "data_folder": str(here / "data/test/sweeps/mine/seed_2"),
    }


def test_several_environments_have_a_folder_each_and_one_table(here: Path) -> None:
    shutil.copytree(here / "conf/test", here / "conf/other")
    plans = make_plans(here, env="test,other", name="both", seeds="0,1")
    top = here / "data/test/sweeps/both"
    assert [plan.folder for plan in plans] == [top / "test", top / "other"]
    assert plans[1].data_folder(SWEEP_RUN) == top / "other/seed_0"
    score = 0.1 + 0.2
    table = pd.DataFrame({"pair": ["7v1"], "yield": [score], "failed": [""]})
    CSVDataset(filepath=str(top / "other/results.csv")).save(table)
    # Tables grow with the sweep: the first environment has none yet.
    assert joined(plans)["environment"].tolist() == ["other"]
    CSVDataset(filepath=str(top / "test/results.csv")).save(table)
    assert joined(plans)["environment"].tolist() == ["test", "other"]
    assert joined(plans)["yield"].tolist() == [score, score]
    (top / "state.json").write_text("{}")
    with pytest.raises(BorderlineError, match="sweep over one environment"):
        make_plans(here, env="test,other", name="both")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pairs", "3v"], ["--pairs has '3v'", "3v0"]),
        (["--pairs", "shirtvt-shirt/top"], ["--pairs has 'shirtvt-shirt/top'", "by their numbers"]),
        (["--pairs", "3v12"], ["pair.negative is 12", "choose one of"]),
        (["--pairs", "3v3"], ["both 3", "choose two classes"]),
        (["--pairs", "3v0,3v0"], ["--pairs names '3v0' twice"]),
        (["--pairs", "3v0,03v0"], ["pair.positive is '03'", "'3'"]),
        (["--pairs", ""], ["--pairs is ''", "such as 3v0"]),
        (["--seeds", "0,,1"], ["--seeds is '0,,1'", "has an empty entry"]),
        (["--seeds", "1,01"], ["--seeds names 1 twice"]),
        (["--seeds", "-1"], ["--seeds has '-1'", "whole number"]),
        (["--models", "cnn_5"], ["grid.models is 'cnn_5'", "did you mean"]),
        (["--models", "cnn_1,cnn_1_repaired"], ["cnn_1_repaired", "a sweep repairs no model"]),
        (["--generators", "hybrid"], ["generators.hybrid.space_of is 'gasten_10'", "add it there"]),
        (["--pipelines", "gasten"], ["--pipelines is 'gasten'", "classifier,gasten"]),
        (["--pipelines", "classifier,gatsen"], ["--pipelines is 'classifier,gatsen'"]),
        (["--name", "a/b"], ["--name is 'a/b'", "letters"]),
        (["--params", "run.seed=3"], ["--params sets run.seed", "--seeds"]),
        (
            ["--params", "grid.seeds=[3]", "--seeds", "0,1"],
            ["grid.seeds or grid.step_2_seeds is [3]", "--seeds", "set it to null"],
        ),
        (["--params", "grid.models=[cnn_1,mlp_4]"], ["sets grid.models", "--models"]),
        (["--env", "test,test", "--name", "x"], ["--env names 'test' twice"]),
        (["--env", "test,base"], ["--env has several environments", "--name"]),
        (["--env", "test,base", "--name", "x", "--pairs", "7v1"], ["remove --pairs"]),
        (["--env", "test,base", "--name", "x"], ["data_folder of base is not that of test"]),
        (["--env", "test,mnist_7v2", "--name", "x"], ["mnist_7v2"]),
        (["--env", "test,base", "--search", "--name", "x"], ["data_folder"]),
        (["--params", "gan.epohcs=3"], ["'gan.epohcs'. Did you mean 'gan.epochs'"]),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(
    here: Path, arguments: list[str], words: list[str]
) -> None:
    result = CliRunner().invoke(cli, ["sweep", "--env", "test", *arguments])
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.exit_code == 1, result.output
    assert len(errors) == 1, result.output
    for word in words:
        assert word in errors[0]
    assert errors[0].endswith(".")
    assert not (here / "data").exists()


class Attempts:
    """Runs with given ends, and the requests for them.

    Args:
        failing: Nodes that fail whenever their model and generator are there.
    """

    def __init__(self, *failing: str) -> None:
        self.failing, self.requests = failing, list[tuple[list[str], list[str]]]()

    def __call__(self, models: Sequence[str], generators: Sequence[str]) -> Outcome:
        self.requests.append((list(models), list(generators)))
        for node in self.failing:
            model, *_, generator, _ = node.split(".")
            of_model = model in (*models, "gasten")
            if of_model and generator in (*generators, "clustering", "gan"):
                return Outcome("It broke.", node, began=True)
        return Outcome()


GASTEN = ["gasten_10", "gasten_25"]
EVERY = [*GASTEN, "latent_search", "hybrid", "pixel_bisection"]


@pytest.mark.parametrize(
    ("failing", "ended", "requests"),
    [
        ([], "whole", [(["cnn_1", "mlp_4"], EVERY)]),
        (
            ["mlp_4.metrics.latent_search.measure_generator"],
            "in_part",
            [
                (["cnn_1", "mlp_4"], EVERY),
                (["cnn_1"], EVERY),
                (["mlp_4"], [*GASTEN, "hybrid", "pixel_bisection"]),
            ],
        ),
        (
            # What goes on from a generator that failed is left out with it.
            ["cnn_1.gasten.gasten_10.train_generator", "mlp_4.gasten.gasten_10.train_generator"],
            "in_part",
            [
                (["cnn_1", "mlp_4"], EVERY),
                (["mlp_4"], EVERY),
                (["cnn_1", "mlp_4"], ["gasten_25", "latent_search", "pixel_bisection"]),
            ],
        ),
        (
            ["cnn_1.clustering.choose_recipe"],
            "in_part",
            [(["cnn_1", "mlp_4"], EVERY), (["mlp_4"], EVERY)],
        ),
        (
            # A training that all models share.
            ["gasten.gasten_10.train_once"],
            "in_part",
            [
                (["cnn_1", "mlp_4"], EVERY),
                (["cnn_1", "mlp_4"], ["gasten_25", "latent_search", "pixel_bisection"]),
            ],
        ),
        (["gasten.gan.train_gan"], "failed", [(["cnn_1", "mlp_4"], EVERY)]),
    ],
)
def test_what_fails_is_left_out_and_nothing_else(
    plan: Plan, failing: list[str], ended: str, requests: list[tuple[list[str], list[str]]]
) -> None:
    attempts, lines = Attempts(*failing), list[str]()
    record = run_without_failures(plan, SWEEP_RUN, attempts, lines.append)
    assert attempts.requests == requests
    assert record.ended == ended
    assert [failure.node for failure in record.failures] == failing
    assert lines == [sentence_of(failure) for failure in record.failures]


def test_a_generator_that_fails_although_it_is_left_out_ends_what_it_belongs_to(plan: Plan) -> None:
    def attempt(models: Sequence[str], _: Sequence[str]) -> Outcome:
        fails = node.startswith("gasten.") or "cnn_1" in models
        return Outcome("It broke.", node, began=True) if fails else Outcome()

    node = "gasten.gasten_10.train_once"
    record = run_without_failures(plan, SWEEP_RUN, attempt, lambda _: None)
    assert (record.ended, record.finished, len(record.failures)) == ("failed", {}, 2)
    node = "cnn_1.gasten.gasten_10.train_generator"
    record = run_without_failures(plan, SWEEP_RUN, attempt, lambda _: None)
    assert (record.ended, len(record.failures)) == ("in_part", 2)
    assert record.finished == {"mlp_4": tuple(EVERY)}


def test_the_table_says_why_a_row_is_missing(plan: Plan) -> None:
    failing = "mlp_4.gasten.gasten_10.train_generator"
    record = run_without_failures(plan, SWEEP_RUN, Attempts(failing), lambda _: None)
    table = gather(plan, State(settings={}).noted(record)).set_index(["model", "generator"])
    assert (table.loc["cnn_1", "status"] == "done").all()
    assert tuple(table.loc[("mlp_4", "gasten_10")])[-2:] == ("failed", "It broke.")
    assert table.loc[("mlp_4", "hybrid"), "status"] == "left out"
    assert "continues from" in table.loc[("mlp_4", "hybrid"), "failed"]


def test_a_sweep_run_whose_process_dies_fails_alone(plan: Plan) -> None:
    killed = Outcome("Its process was ended by SIGKILL.")
    record = run_without_failures(plan, SWEEP_RUN, lambda *_: killed, lambda _: None)
    assert (record.ended, record.finished) == ("failed", {})
    other = run_without_failures(plan, replace(SWEEP_RUN, seed=1), Attempts(), lambda _: None)
    table = gather(plan, State(settings={}).noted(record).noted(other))
    assert set(zip(table["seed"], table["status"], strict=True)) == {(0, "failed"), (1, "done")}


def record_of(sweep_run: SweepRun, ended: Literal["whole", "in_part", "failed"]) -> Record:
    failure = Failure(model=None, generator=None, node="x", says="y")
    return Record(
        positive=sweep_run.positive,
        negative=sweep_run.negative,
        seed=sweep_run.seed,
        ended=ended,
        finished={},
        failures=() if ended == "whole" else (failure,),
    )


def test_what_ended_is_not_run_again_unless_it_failed() -> None:
    ends = ("whole", "in_part", "failed")
    sweep_runs = {end: replace(SWEEP_RUN, seed=seed) for seed, end in enumerate(ends)}
    state = State(settings={})
    for record in (
        record_of(sweep_runs["whole"], "whole"),
        record_of(sweep_runs["in_part"], "in_part"),
        record_of(sweep_runs["failed"], "failed"),
    ):
        state = state.noted(record)
    assert [state.todo(one, again=False) for one in sweep_runs.values()] == [False, False, True]
    assert [state.todo(one, again=True) for one in sweep_runs.values()] == [False, True, True]
    assert state.todo(replace(SWEEP_RUN, seed=9), again=False)


def test_finished_sweep_runs_are_not_mixed_with_other_settings(plan: Plan, here: Path) -> None:
    file = StateFile(plan.folder)
    file.write(file.read(plan).noted(record_of(SWEEP_RUN, "in_part")))
    more = make_plan(here, env="test", seeds="0,1,2", pairs="7v1,3v0")
    assert file.read(more).records.keys() == {SWEEP_RUN.name}
    for params in ({"confusion": {"band": 0.05}}, {"generators": {"gasten_25": {"alpha": 3}}}):
        other = make_plan(here, env="test", params=params)
        with pytest.raises(BorderlineError, match=r"but 7v1_seed_0 of this sweep ran with"):
            file.read(other)
    # A sweep of an earlier version has no entry for a setting that came later.
    older = {n: v for n, v in plan.settings.items() if n != "metrics.front"}
    file.write(State(settings=older).noted(record_of(SWEEP_RUN, "in_part")))
    assert file.read(plan).records.keys() == {SWEEP_RUN.name}
    # A model that is not in the grid matters to nobody.
    file.read(make_plan(here, env="test", params={"models": {"cnn_8": {"filters": 9}}}))
    file.write(State(settings={"gone": 1}).noted(record_of(SWEEP_RUN, "failed")))
    assert file.read(plan).records == {}


def test_a_model_whose_file_changed_is_not_mixed_with_the_former_one(here: Path) -> None:
    weights = here / "mine.safetensors"
    model = {
        "kind": "imported",
        "source": {
            "kind": "state_dict",
            "path": str(weights),
            "import_path": "torch.nn.Linear",
            "arguments": {"in_features": 2, "out_features": 1},
        },
        "outputs": "logit",
        "embedding": "judge",
    }

    def planned() -> Plan:
        return make_plan(here, env="test", models="mine", params={"models": {"mine": model}})

    save_file({"weight": torch.zeros(1, 2), "bias": torch.zeros(1)}, weights)
    plan = planned()
    file = StateFile(plan.folder)
    file.write(file.read(plan).noted(record_of(SWEEP_RUN, "in_part")))
    assert file.read(planned()).records.keys() == {SWEEP_RUN.name}
    weights.rename(here / "away")
    assert file.read(planned()).records.keys() == {SWEEP_RUN.name}
    save_file({"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, weights)
    said = r"mine\.imported_file is '\w+', but 7v1_seed_0 of this sweep ran with '\w+'"
    with pytest.raises(BorderlineError, match=said):
        file.read(planned())
    # A sweep of an earlier version has no digests; from now on it has them.
    file.write(State(settings=plan.settings).noted(record_of(SWEEP_RUN, "in_part")))
    file.write(file.read(planned()))
    (here / "away").rename(weights)
    with pytest.raises(BorderlineError, match=said):
        file.read(planned())


def test_a_damaged_table_of_a_finished_sweep_run_is_not_gathered(plan: Plan) -> None:
    record = run_without_failures(plan, SWEEP_RUN, Attempts(), lambda _: None)
    reporting = plan.reporting(record.sweep_run)
    table = CSVDataset(filepath=str(reporting / plan.models[0] / "leaderboard.csv"))
    table.save(pd.DataFrame({"source": ["hybrid", "gasten"], "note": ["", ""]}))
    name = f"{plan.models[0]}.leaderboard_table"
    folder = plan.data_folder(record.sweep_run) / "06_models" / reporting.name / "ledger"
    entry = JSONDataset(filepath=str(folder / f"{plan.models[0]}.metrics.compare.json"))
    entry.save({"settings": {}, "results": {name: digests_of(table)}})
    state = State(settings={}).noted(record)
    assert changed_table(plan, record) is None
    assert damaged_runs(plan, state, again=False) == set()
    file = Path(str(table._filepath))
    file.write_text(file.read_text()[:-9])
    with pytest.raises(BorderlineError, match=f"{file} was changed .* finished: .*--again"):
        damaged_runs(plan, state, again=False)
    assert damaged_runs(plan, state, again=True) == {record.sweep_run.name}
    (folder / f"{plan.models[0]}.metrics.compare.json").write_text("{")
    assert changed_table(plan, record) == folder / f"{plan.models[0]}.metrics.compare.json"


def test_a_sweep_runs_once_at_a_time(plan: Plan) -> None:
    file = StateFile(plan.folder)
    with file.alone(), pytest.raises(BorderlineError, match="running already"), file.alone():
        pass
    with file.alone():
        pass


def test_mean_and_spread_are_over_the_seeds_that_are_done() -> None:
    rows = [
        ("7v1", "cnn_1", "hybrid", 0, "done", 0.2, 8.0, True),
        ("7v1", "cnn_1", "hybrid", 1, "done", 0.6, 10.0, False),
        ("7v1", "cnn_1", "hybrid", 2, "failed", None, None, None),
        ("3v0", "cnn_1", "hybrid", 0, "done", 0.5, 7.0, True),
    ]
    names = ["pair", "model", "generator", "seed", "status", "yield", "fd_lenet", "chosen"]
    table = pd.DataFrame(rows, columns=names)
    first, second = over_seeds(table).to_dict("records")
    assert (first["pair"], first["seeds"], first["chosen"]) == ("7v1", 2, 0.5)
    assert first["yield"] == pytest.approx(0.4)
    assert first["yield_sd"] == pytest.approx(0.2 * 2**0.5)
    assert first["fd_lenet"] == 9
    assert second["seeds"] == 1
    assert pd.isna(second["yield_sd"])
    assert [ax.get_title() for ax in picture(table).axes] == ["7v1, cnn_1", "3v0, cnn_1"]


STAGES = "classifier,gasten,metrics"
GRID = ("cnn_1", "latent_search", "pixel_bisection")
ONE_JUDGE = "judge_kinds.lenet.members=1"
SWEEP = (
    *("sweep", "--env", "test", "--pipelines", STAGES, "--seeds", "0,1"),
    *("--models", GRID[0], "--generators", ",".join(GRID[1:]), "--params", ONE_JUDGE),
)


def break_a_kind(project: Path) -> None:
    """Let blends fail with seed 0, once the model is trained and the GAN too."""
    copy_code(project)
    path = project / "src/borderline/pipelines/gasten/pixel_blends.py"
    head = '        """Blends on the boundary."""\n'
    source = path.read_text()
    assert source.count(head) == 1
    broken = f'{head}        if run.seed == 0:\n            raise RuntimeError("no luck")\n'
    path.write_text(source.replace(head, broken))


@pytest.mark.road
def test_killed_sweep_goes_on_and_gathers_what_single_runs_find(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_a_kind(project)
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    command = [sys.executable, "-m", "kedro", *SWEEP]
    folder = project / "data/test/sweeps/test"

    # After a kill -9 in the second sweep run, its process ends too and writes nothing more.
    first = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True)
    checkpoints = folder / "seed_1/06_models/mnist_sample_7v1/gan/checkpoints"
    deadline = time.monotonic() + 600
    while not (checkpoints / "epoch_0002.pt").exists():
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = psutil.Process(first.pid).children(recursive=True)
    assert children
    first.kill()
    first.communicate()
    assert not psutil.wait_procs(children, timeout=20)[1]
    assert set(pd.read_csv(folder / "results.csv")["seed"]) == {0}, "it grows with the sweep"
    trained = (checkpoints / "epoch_0001.pt").stat().st_mtime_ns

    # The remaining sweep runs succeed, also with the code of the package.
    again = kedro_here(project, *SWEEP)
    assert again.exit_code == 4, again.output
    for line in (
        "seed 0: finished before",
        "seed 1: complete",
        "failed in cnn_1.gasten.pixel_bisection.make_images: RuntimeError: no luck. See",
        "2 sweep runs: 1 complete, 1 incomplete.",
    ):
        assert line in again.stdout
    assert (checkpoints / "epoch_0001.pt").stat().st_mtime_ns == trained
    results = pd.read_csv(folder / "results.csv").set_index(["seed", "generator"])
    assert results["status"].to_dict() == {
        (0, "latent_search"): "done",
        (0, "pixel_bisection"): "failed",
        (1, "latent_search"): "done",
        (1, "pixel_bisection"): "done",
    }
    assert (folder / "results.png").read_bytes().startswith(b"\x89PNG")

    lists = f"grid.models=[{GRID[0]}],grid.generators=[{','.join(GRID[1:])}]"
    params = f"run.seed=1,{ONE_JUDGE},{lists},data_folder=data/single"
    single = run_here(project, "--env", "test", "--pipelines", STAGES, "--params", params)
    assert single.exit_code == 0, single.output
    board = pd.read_csv(
        project / "data/single/08_reporting/mnist_sample_7v1/cnn_1/leaderboard.csv"
    ).set_index("source")
    for generator in GRID[1:]:
        for figure in board.columns.drop("seconds"):
            actual, expected = results.loc[(1, generator), figure], board.loc[generator, figure]
            assert str(actual) == str(expected) or float(actual) == float(expected), figure
    assert not (project / "data/test/08_reporting").exists()


def fails() -> None:
    raise RuntimeError("two\nlines")


def test_the_node_that_failed_is_found_in_the_frames() -> None:
    road = Pipeline([Node(fails, None, "x", name="cnn_1.gasten.hybrid.make_images")])
    with pytest.raises(RuntimeError) as raised:
        SequentialRunner().run(road, DataCatalog(), _create_hook_manager())
    wrapped = BorderlineError("Wrapped.")
    wrapped.__cause__ = raised.value
    for error in (raised.value, wrapped):
        assert outcome_of(error).node == "cnn_1.gasten.hybrid.make_images"
        assert outcome_of(error).began
    assert outcome_of(raised.value).says == "RuntimeError: two lines"
    assert outcome_of(BorderlineError("No run.")) == Outcome("BorderlineError: No run.")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_name_in_the_printed_table_is_broken(width: int) -> None:
    names = {"pair": "ankle bootvsneaker", "model": "resnet_18", "generator": "pixel_bisection"}
    scores = {"seeds": 3, "chosen": 0.5, "yield": 0.5, "yield_sd": 0.1, "acd": 0.123, "fd_lenet": 9}
    console = Console(width=width, record=True, file=StringIO())
    console.print(for_console(pd.DataFrame([names | scores]), console))
    text = console.export_text()
    for word in ("resnet_18", "pixel_bisection", "bootvsneaker", "0.123", "seeds", "lenet"):
        assert word in text

"""A search: the same trials after any stop, a front of the two scores, and a page that shows it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from borderline.cli import cli
from borderline.errors import BorderlineError
from borderline.params import RunParams, merged
from borderline.pipelines.gasten.search_params import SearchParams
from borderline.sweeps import search_run, search_space
from borderline.sweeps.command import check_no_search, not_for_search
from borderline.sweeps.plan import Plan, SweepRun, make_plan
from borderline.sweeps.process import Outcome, outcome_of
from borderline.sweeps.search import Scores, TrialFailed, open_study, search
from borderline.sweeps.search_page import page_of, trials_table
from borderline.sweeps.search_run import Search, check_plan, run_search, scores_of
from borderline.sweeps.search_space import Point, Space, check_search, space_of
from borderline.sweeps.sweep_run import run_separately
from conftest import copy_project, start_kedro

RUN = RunParams(seed=3, device="cpu")
PARAMS = SearchParams(
    trials=14,
    population=4,
    generator="gasten_25",
    term=("gasten", "mgda", "kl"),
    alpha={"gasten": (1, 50), "kl": (0.5, 5)},
    start=(1, None),
    gan={"learning_rate": (1e-4, 1e-2), "disc_iters": (1, 3), "other": None},
)
SPACE = space_of(PARAMS, [1, 2, 4, 6], epochs=4)


@pytest.fixture(scope="module")
def shared_plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    project = copy_project(tmp_path_factory.mktemp("search") / "project")
    start_kedro()
    return make_plan(project, env="test", models="cnn_1", suffix="_search")


@pytest.fixture
def plan(shared_plan: Plan, tmp_path: Path) -> Plan:
    return replace(shared_plan, folder=tmp_path / "sweeps/test_search")


def with_search(plan: Plan, **settings: Any) -> Plan:
    """The plan with other settings, each group merged into what is there."""
    changed = {
        name: type(group).model_validate(merged(group.plain(), settings[name]))
        for name in settings
        if hasattr(group := getattr(plan.parameters, name), "plain")
    }
    return replace(plan, parameters=plan.parameters.model_copy(update=changed))


def toy(number: int, point: Point) -> Scores:
    """Two scores that no setting makes low at once; a high rate diverges."""
    rate = point["gan.learning_rate"]
    if rate > 2e-3:
        raise TrialFailed("It diverged.")
    away = abs(math.log10(rate) + 3)
    return Scores(away + point["start"] / 10, 5 - point["start"] + away, 0.5)


def trials_of(
    study: optuna.Study,
    attempt: Any = toy,
    params: SearchParams = PARAMS,
    space: Space = SPACE,
) -> list[Any]:
    for _ in search(study, space, params, RUN, attempt):
        pass
    return [(t.state, t.values, t.user_attrs["settings"]) for t in study.trials]


@pytest.fixture(scope="module")
def whole() -> list[Any]:
    return trials_of(open_study(InMemoryStorage()))


def test_the_same_seed_gives_the_same_trials_and_another_one_does_not(whole: list[Any]) -> None:
    assert trials_of(open_study(InMemoryStorage())) == whole
    other = [t.user_attrs["settings"] for t in search(*other_seed(), toy)]
    assert other != [settings for _, _, settings in whole]


def other_seed() -> Any:
    return open_study(InMemoryStorage()), SPACE, PARAMS, RUN.model_copy(update={"seed": 4})


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [0, 2, 6, 12])
@pytest.mark.parametrize("within", ["run", "suggestion"])
def test_a_killed_search_gives_the_trials_of_a_whole_one(
    whole: list[Any], at: int, within: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study(InMemoryStorage())

    def killed(number: int, point: Point) -> Scores:
        if number == at:
            raise Killed
        return toy(number, point)

    def half(self: Space, trial: optuna.Trial) -> Point:
        if trial.number == at:
            trial.suggest_categorical("term", self.terms)
            raise Killed
        return suggest(self, trial)

    suggest = Space.suggest
    with monkeypatch.context() as patch:
        if within == "suggestion":
            patch.setattr(Space, "suggest", half)
        with pytest.raises(Killed):
            trials_of(study, killed if within == "run" else toy)
    assert len(study.trials) == at + 1
    assert trials_of(study) == whole


def test_more_trials_continue_a_finished_search(whole: list[Any]) -> None:
    study = open_study(InMemoryStorage())
    trials_of(study, params=PARAMS.model_copy(update={"trials": 5}))
    assert trials_of(study) == whole


def test_trials_are_in_the_space_and_later_generations_are_better(whole: list[Any]) -> None:
    points = [settings for *_, settings in whole]
    assert {point["term"] for point in points} <= set(PARAMS.term)
    assert len({point["gan.learning_rate"] for point in points}) > 5
    assert {point["start"] for point in points} <= {1, 2, 4}
    assert {type(point["gan.disc_iters"]) for point in points} == {int}
    for point in points:
        assert (point["alpha"] is None) == (point["term"] == "mgda")
        if point["alpha"] is not None:
            low, high = PARAMS.alpha[point["term"]]
            assert low <= point["alpha"] <= high
            assert point["alpha"] == float(f"{point['alpha']:.3g}")
    assert sum(state is not TrialState.PRUNED for state, *_ in whole) == PARAMS.trials
    study = open_study(InMemoryStorage())
    longer = trials_of(study, params=PARAMS.model_copy(update={"trials": 40}))
    sums = [sum(values) for _, values, _ in longer if values]
    assert sum(sums[-8:]) < sum(sums[:8])


def test_equal_settings_neither_run_twice_nor_count() -> None:
    asked: list[int] = []

    def attempt(number: int, point: Point) -> Scores:
        asked.append(number)
        return Scores(0.1, 2.0, 0.5)

    study = open_study(InMemoryStorage())
    space = replace(SPACE, terms=("mgda",), starts=(1, 2), gan={})
    trials_of(study, attempt, PARAMS.model_copy(update={"trials": 2}), space)
    assert len(asked) == 2
    # The space is exhausted, so the search ends.
    trials_of(study, attempt, space=space)
    assert len(asked) == 2
    table = trials_table(study.trials, lambda number, _: f"run {number}")
    assert set(table["status"]) == {"done", "repeat"}
    assert list(table[table["on_front"]]["trial"]) == asked


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"search": {"generator": "nobody"}}, "search.generator is 'nobody'"),
        ({"search": {"generator": "hybrid"}}, "of the kind 'latent_search', but the search is for"),
        ({"search": {"start": (4, 2)}}, "search.start is [4, 2], but step 1 has checkpoints of"),
        ({"search": {"start": (9, None)}}, "of the epochs 1, 2, 3 only: choose a range"),
        ({"search": {"gan": {"filters": (4, 8)}}}, "search.gan.filters is set, but all trials"),
        ({"search": {"gan": {"rate": (4, 8)}}}, "search.gan.rate is [4, 8], but gan.rate cannot"),
        ({"search": {"gan": {"disc_iters": (0.5, 2)}}}, "search.gan.disc_iters is [0.5, 2]"),
        ({"search": {"gan": {"gradient_penalty": (1, 9)}}}, "but no training depends on gan.grad"),
        (
            {"search": {"gan": {"disc_iters": (1, 9)}}},
            "up to 9 discriminator steps per generator step (gan.disc_iters) in epochs of 8 steps",
        ),
        ({"search": {"term": ("mgda",)}, "gan": {"compile": True}}, "gan.compile is True, but"),
    ],
)
def test_a_space_that_does_not_fit_is_one_sentence(
    plan: Plan, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(BorderlineError) as raised:
        check_search(with_search(plan, **settings).parameters)
    assert says in str(raised.value)
    assert str(raised.value).endswith(".")


def test_a_setting_that_the_generator_has_itself_cannot_be_searched(plan: Plan) -> None:
    parameters = plan.parameters
    own = parameters.generators["gasten_25"].model_copy(update={"learning_rate": 1})
    generators = {**parameters.generators, "gasten_25": own}
    with pytest.raises(BorderlineError, match=r"gan and of generators\.gasten_25: remove it"):
        check_search(parameters.model_copy(update={"generators": generators}))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"alpha": {"gasten": (5, 1)}}, r"it must be \[lowest, highest\], both above 0"),
        ({"alpha": {"gasten": (0, 1)}}, "both above 0"),
        ({"alpha": {**PARAMS.alpha, "mgda": (1, 2)}}, "mgda finds its weight itself"),
        ({"term": ("gaussian",), "alpha": {}}, "alpha has no range for the term gaussian"),
        ({"term": ("gasten", "gasten")}, "it must name nothing twice"),
        ({"term": ()}, "at least 1 item"),
        ({"population": 1}, "greater than or equal to 2"),
        ({"trials": 0}, "greater than or equal to 1"),
        ({"gan": {"learning_rate": (True, 2)}}, "valid"),
    ],
)
def test_wrong_settings_of_a_search_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SearchParams.model_validate(PARAMS.plain() | settings)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"models": ("cnn_1", "mlp_4")}, "--search has cnn_1, mlp_4, but it is about one pair"),
        ({"labels": {"3v0": (3, 0), "5v7": (5, 7)}}, "--search has 3v0, 5v7, but"),
        ({"sweep_runs": (SweepRun(7, 1, 0), SweepRun(7, 1, 4))}, "name one with --seeds"),
    ],
)
def test_a_search_is_about_one_pair_seed_and_model(
    plan: Plan, changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(BorderlineError, match=says):
        check_plan(replace(plan, **changed))
    with pytest.raises(BorderlineError, match=r"grid\.runs is above 1"):
        check_plan(with_search(plan, grid={"runs": 2}))


@pytest.mark.parametrize("option", ["again", "all_pairs", "classes", "generators", "pipelines"])
def test_options_of_other_sweeps_are_refused(option: str) -> None:
    with pytest.raises(
        BorderlineError, match=rf"^--{option.replace('_', '-')} is not for --search"
    ):
        not_for_search(**{option: "x"}, seeds="0")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--all-pairs"], "--all-pairs is not for --search"),
        (["--params", "search.trails=2"], "'search.trails'. Did you mean 'search.trials'?"),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(
    project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(project)
    start_kedro()
    result = CliRunner().invoke(cli, ["sweep", "--env", "test", "--search", *arguments])
    assert result.exit_code == 1, result.output
    assert says in result.stderr
    assert result.stderr.count("Error: ") == 1
    assert not (project / "data").exists()


class Runs:
    """Runs in place of processes, which leave the tables that a search reads.

    Args:
        ends: The outcome of a trial by its name; without one, the run succeeds.
    """

    def __init__(self, plan: Plan, **ends: Outcome) -> None:
        self.plan, self.ends, self.calls = plan, ends, list[tuple[str, str]]()

    def __call__(self, stages: Any, settings: dict[str, Any], name: str) -> Outcome:
        self.calls.append((name, " ".join(stages)))
        self.settings = settings
        reporting = self.plan.reporting(self.plan.sweep_runs[0])
        models = self.plan.data_folder(self.plan.sweep_runs[0]) / "06_models" / reporting.name
        if name == "shared":
            (models / "gan/checkpoints").mkdir(parents=True, exist_ok=True)
            for epoch in (1, 2, 3):
                (models / f"gan/checkpoints/epoch_{epoch:04d}.pt").touch()
        elif name not in self.ends:
            write_tables(reporting / "cnn_1", name, acd=0.1 / (1 + len(self.calls)))
        return self.ends.get(name, Outcome())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study is in memory, and the page has no chart."""
    stores: dict[str, InMemoryStorage] = {}

    class Store:
        def __init__(self, filepath: str) -> None:
            self.path = filepath

        def check(self) -> None: ...

        def load(self) -> InMemoryStorage:
            return stores.setdefault(self.path, InMemoryStorage())

    monkeypatch.setattr(search_run, "StudyStorage", Store)
    monkeypatch.setattr(search_run, "page_of", lambda *_: "")


def write_tables(folder: Path, name: str, acd: float, fd: float = 5.0, images: float = 64) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"epoch": [1], "images": [images]}).to_csv(folder / name / "history.csv")
    board = {"source": [name, "real"], "acd": [acd, 0.4], "fd_lenet": [fd, 1], "yield": [0.5, 0]}
    pd.DataFrame(board).to_csv(folder / "leaderboard.csv")


BROKE = Outcome("It broke.", "cnn_1.gasten.trial_1.train_generator", began=True)


@pytest.mark.usefixtures("quick")
def test_step_1_is_trained_once_and_failures_of_a_trial_cost_it_alone(plan: Plan) -> None:
    runs, lines = Runs(plan, trial_1=BROKE), list[str]()
    assert run_search(Search(plan, runs, lines.append))
    assert runs.calls == [
        ("shared", "--pipelines classifier"),
        ("shared", "--pipelines gasten --to-nodes gasten.gan.train_gan"),
        *((f"trial_{n}", "--pipelines gasten,metrics") for n in range(3)),
    ]
    step_1 = plan.data_folder(plan.sweep_runs[0]) / "06_models/mnist_sample_7v1/gan/checkpoints"
    assert runs.settings["step_1_checkpoints"] == str(step_1)
    assert runs.settings["grid"] == {"models": ["cnn_1"], "generators": ["trial_2"]}
    assert runs.settings["generators"]["trial_2"]["epochs"] == 2
    assert "[2/3] trial_1: failed: It broke." in lines
    table = pd.read_csv(plan.folder / "trials.csv")
    assert list(table["status"]) == ["done", "failed", "done"]
    assert table["failed"][1] == "It broke."
    # A finished search has nothing to do, and more trials continue it.
    again = Runs(plan)
    run_search(Search(plan, again, lines.append))
    assert again.calls == []
    run_search(Search(with_search(plan, search={"trials": 4}), again, lines.append))
    assert again.calls == [("trial_3", "--pipelines gasten,metrics")]
    for other in (
        {"search": {"population": 3}},
        {"search": {"gan": {"learning_rate": (1e-4, 1e-3)}}},
    ):
        with pytest.raises(BorderlineError, match=r"but the trials of this sweep ran with"):
            run_search(Search(with_search(plan, **other), again, lines.append))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "end",
    [
        Outcome("Its process was ended by SIGKILL."),
        replace(BROKE, node="real_reference"),
        replace(BROKE, outside=True),
    ],
)
def test_other_failures_stop_the_search_which_continues_with_the_trial(
    plan: Plan, end: Outcome
) -> None:
    runs = Runs(plan, trial_1=end)
    with pytest.raises(BorderlineError, match=r"trial_1 failed.*continues it with trial_1; see"):
        run_search(Search(plan, runs, print))
    assert list(pd.read_csv(plan.folder / "trials.csv")["trial"]) == [0]
    again = Runs(plan)
    run_search(Search(plan, again, print))
    assert [name for name, _ in again.calls] == ["trial_1", "trial_2"]


def test_a_full_disk_or_memory_is_outside_of_the_run() -> None:
    wrapped = BorderlineError("Not saved.")
    wrapped.__cause__ = OSError(28, "No space left on device")
    assert outcome_of(wrapped).outside
    assert outcome_of(MemoryError()).outside
    assert not outcome_of(ValueError()).outside


def test_a_diverged_or_unmeasured_trial_has_failed(tmp_path: Path) -> None:
    write_tables(tmp_path, "trial_7", acd=0.1)
    assert scores_of(tmp_path, "trial_7") == Scores(0.1, 5.0, 0.5)
    write_tables(tmp_path, "trial_7", acd=0.1, fd=math.nan)
    with pytest.raises(TrialFailed, match="could not be measured"):
        scores_of(tmp_path, "trial_7")
    write_tables(tmp_path, "trial_7", acd=0.1, images=math.nan)
    with pytest.raises(TrialFailed, match="diverged"):
        scores_of(tmp_path, "trial_7")


def test_searches_and_sweeps_do_not_share_a_folder(plan: Plan, tmp_path: Path) -> None:
    plan.folder.mkdir(parents=True)
    (plan.folder / "state.json").touch()
    with pytest.raises(BorderlineError, match="the folder of a sweep without --search"):
        check_plan(plan)
    plan.search_file.touch()
    with pytest.raises(BorderlineError, match="the folder of a search: give the sweep another"):
        check_no_search(plan)


def test_the_page_shows_the_front_with_commands_and_all_trials_with_reasons(plan: Plan) -> None:
    study = open_study(InMemoryStorage())
    trials_of(study)
    of = Search(replace(plan, classes=("a", "<b>", *plan.classes[2:])), Runs(plan), print)
    table = trials_table(study.trials, of.command)
    page = page_of(table, of.plan, of.sweep_run)
    assert "&lt;b&gt;" in page
    assert "failed: It diverged." in page
    front = table[table["on_front"]]
    assert table["knee"].sum() == 1
    assert (table["command"] != "").sum() == len(front) > 1
    for number, command in zip(front["trial"], front["command"], strict=True):
        assert f"<h3>Trial {number}" in page
        assert command.startswith("kedro run --env test --params 'run.seed=0,")
        assert f'grid.generators=["trial_{number}"]' in command
        assert f"generators.trial_{number}.kind=gasten" in command
        assert "step_1_checkpoints=" in command


def test_a_front_without_scores_has_a_page_too(plan: Plan) -> None:
    page = page_of(trials_table([], lambda *_: ""), plan, plan.sweep_runs[0])
    assert "No trial has scores yet." in page


@pytest.mark.usefixtures("quick")
def test_given_checkpoints_of_step_1_are_used_and_checked_first(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/epoch_0002.pt").touch()
    plan = replace(plan, settings={**plan.settings, "step_1_checkpoints": str(tmp_path / "mine")})
    runs = Runs(plan)
    run_search(Search(plan, runs, print))
    assert runs.calls[:2] == [
        ("shared", "--pipelines classifier"),
        ("trial_0", "--pipelines gasten,metrics"),
    ]
    assert runs.settings["generators"][runs.settings["grid"]["generators"][0]]["start"] == 2
    late = replace(with_search(plan, search={"start": (3, None)}), folder=tmp_path / "late")
    late.folder.mkdir()
    with pytest.raises(BorderlineError, match="checkpoints of the epochs 2 only"):
        run_search(Search(late, runs, print))


def test_params_may_name_the_checkpoints_of_step_1(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    start_kedro()
    given = {"step_1_checkpoints": "some/where"}
    with KedroSession.create(project, env="test", runtime_params=given) as session:
        context: Any = session.load_context()
    assert not context.layout.trains_gan
    checkpoints = context.catalog.get("step_1_checkpoints")
    assert checkpoints.path == str(project / "some/where")
    assert context.derived.call.changed == given


def test_the_settings_of_a_trial_are_those_of_its_generator(plan: Plan) -> None:
    point = {"term": "kl", "alpha": 2.0, "gan.learning_rate": 1e-3, "gan.a.b": 2}
    settings = search_space.settings_of_trial("trial_1", point, plan.parameters)
    base = plan.parameters.generators["gasten_25"].plain()
    assert settings["generators"]["trial_1"] == base | {"term": "kl", "alpha": 2.0}
    assert settings["gan"] == {"learning_rate": 1e-3, "a": {"b": 2}}


def test_a_run_of_a_trial_has_the_environment_and_the_stages(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run(*arguments: Any) -> Outcome:
        asked.append(arguments)
        return Outcome()

    monkeypatch.setattr("borderline.sweeps.sweep_run.run_in_process", run)
    run_separately(plan, ["--pipelines", "gasten"], {}, Path(), ["--runner", "x"], Path("f"), print)
    options = ["--env", "test", "--pipelines", "gasten", "--only-missing-outputs"]
    assert asked == [([*options, "--runner", "x"], {}, Path(), Path("f"))]
    assert search_run.name_of(3) == "trial_3"

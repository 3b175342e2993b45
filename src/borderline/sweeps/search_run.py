"""``kedro sweep --search``: step 1 once, then a run for each trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from borderline.datasets import CheckpointFolder, CSVDataset, StudyStorage, TextDataset
from borderline.errors import BorderlineError
from borderline.grid import GIVEN_STEP_1
from borderline.params import CallParams, flat, merged
from borderline.pipelines.gasten.stream import has_diverged
from borderline.sweeps.plan import Plan, SweepRun
from borderline.sweeps.process import Outcome
from borderline.sweeps.search import (
    REASON,
    REPEATS,
    SECONDS,
    Scores,
    TrialFailed,
    count_runs,
    open_study,
    search,
)
from borderline.sweeps.search_page import page_of, trials_table
from borderline.sweeps.search_space import Point, check_search, settings_of_trial, space_of
from borderline.sweeps.state import check_same_settings

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

Run = Callable[[Sequence[str], dict[str, Any], str], Outcome]
"""Runs ``kedro run`` with arguments and settings in its own process; the last is its log's name."""
Print = Callable[[str], None]

_STAGES = ("gasten", "metrics")
_SETTINGS, _SHARED = "settings", "shared"
_UNUSED = (
    *("pipelines", "grid.generators", "generators."),
    *("clustering.", "prototypes.", "report."),
)
"""The beginnings of settings that no trial reads."""


@dataclass(frozen=True)
class Search:
    """A search whose options have been checked: one pair, seed and model."""

    plan: Plan
    run: Run
    show: Print

    @property
    def sweep_run(self) -> SweepRun:
        """The pair and the seed."""
        return self.plan.sweep_runs[0]

    @property
    def model(self) -> str:
        """The model under test."""
        return self.plan.models[0]

    @property
    def is_given(self) -> bool:
        """Whether step 1 was trained elsewhere."""
        return self.plan.settings[GIVEN_STEP_1] is not None

    def settings(self, generator: str) -> dict[str, Any]:
        """The settings of a run with one generator, nested."""
        return self.plan.settings_of(self.sweep_run, [self.model], [generator])

    def step_1(self) -> str:
        """The checkpoints of step 1: given ones, or those of the search."""
        case = self.plan.reporting(self.sweep_run).name
        folder = self.plan.data_folder(self.sweep_run) / "06_models" / case
        return str(self.plan.settings[GIVEN_STEP_1] or folder / "gan" / "checkpoints")

    def settings_of_trial(self, number: int, point: Point) -> dict[str, Any]:
        """The settings of a trial's run, nested."""
        name = name_of(number)
        settings = merged(self.settings(name), {GIVEN_STEP_1: self.step_1()})
        return merged(settings, settings_of_trial(name, point, self.plan.parameters))

    def command(self, number: int, point: Point) -> str:
        """The command that runs a trial's generator through all stages, in its data folder."""
        settings = self.settings_of_trial(number, point)
        changed = {n: value for n, value in flat(settings) if not n.startswith("search.")}
        return CallParams(environment=self.plan.env, changed=changed).command()


def name_of(number: int) -> str:
    """The name of a trial's generator."""
    return f"trial_{number}"


def check_plan(plan: Plan) -> None:
    """Check before any work that the plan is that of a search.

    Raises:
        BorderlineError: When it has more than one pair, seed or model, or a wrong space.
    """
    seeds = {str(run.seed) for run in plan.sweep_runs}
    options = {"--pairs": [*plan.labels], "--seeds": sorted(seeds), "--models": [*plan.models]}
    for option, values in options.items():
        if len(values) > 1:
            raise BorderlineError(
                f"--search has {', '.join(values)}, but it is about one pair, seed and "
                f"model: name one with {option}."
            )
    if plan.parameters.grid.runs > 1:
        raise BorderlineError("grid.runs is above 1, but a search repeats nothing: set it to 1.")
    if (plan.folder / "state.json").exists():
        raise BorderlineError(
            f"{plan.folder} is the folder of a sweep without --search: give the search another "
            "--name."
        )
    check_search(plan.parameters)


def run_search(of: Search) -> bool:
    """Run the missing trials and write the table and the page; whether a trial has scores."""
    plan, params = of.plan, of.plan.parameters.search
    store = StudyStorage(filepath=str(plan.search_file))
    store.check()
    study = open_study(store.load())
    _check_settings(study, of)
    space = space_of(params, _shared(of, study), plan.parameters.gan.epochs)
    run = plan.parameters.run.model_copy(update={"seed": of.sweep_run.seed})

    def attempt(number: int, point: Point) -> Scores:
        head = f"[{count_runs(study)}/{params.trials}] {name_of(number)}"
        of.show(f"{head}: running, {_words(point)}")
        settings, name = of.settings_of_trial(number, point), name_of(number)
        outcome = of.run(["--pipelines", ",".join(_STAGES)], settings, name)
        if outcome.says:
            raise _failure(of, outcome, name)
        return scores_of(plan.reporting(of.sweep_run) / of.model, name)

    write_results(of, study)
    for trial in search(study, space, params, run, attempt):
        head = f"[{count_runs(study)}/{params.trials}] {name_of(trial.number)}"
        of.show(f"{head}: {_ending(trial)}")
        write_results(of, study)
    return any(trial.values for trial in study.get_trials(deepcopy=False))


def scores_of(folder: Path, name: str) -> Scores:
    """The scores of a finished trial.

    Raises:
        TrialFailed: When its training diverged, or when a score is unknown.
    """
    if has_diverged(pd.read_csv(folder / name / "history.csv")):
        raise TrialFailed("Its training diverged: the loss was no longer a finite number.")
    board = pd.read_csv(folder / "leaderboard.csv").set_index("source")
    acd, fd_lenet, share = (float(board[c].to_dict()[name]) for c in ("acd", "fd_lenet", "yield"))
    if not (math.isfinite(acd) and math.isfinite(fd_lenet)):
        raise TrialFailed("Its ACD or its fd_lenet could not be measured.")
    return Scores(acd, fd_lenet, share)


def write_results(of: Search, study: optuna.Study) -> None:
    """Write ``trials.csv`` and ``search.html``."""
    trials = study.get_trials(deepcopy=False)
    table = trials_table(trials, of.command)
    CSVDataset(filepath=str(of.plan.folder / "trials.csv")).save(table)
    page = page_of(table, of.plan, of.sweep_run)
    TextDataset(filepath=str(of.plan.folder / "search.html")).save(page)


def _check_settings(study: optuna.Study, of: Search) -> None:
    """Check that finished trials have the present settings; without any, these are new."""
    parameters = of.plan.parameters
    base = parameters.generators[parameters.search.generator].plain()
    searched = {n: v for n, v in parameters.search.plain().items() if n != "trials"}
    now = {
        **{n: v for n, v in of.plan.settings.items() if not n.startswith(_UNUSED)},
        **dict(flat({"search": searched, "generator": base})),
        **{"pair": of.sweep_run.pair, "run.seed": of.sweep_run.seed, "model": of.model},
    }
    if study.get_trials(deepcopy=False):
        check_same_settings(study.user_attrs[_SETTINGS], now, "the trials")
    else:
        study.set_user_attr(_SETTINGS, now)


def _shared(of: Search, study: optuna.Study) -> list[int]:
    """Run once the trainings that all trials share; the epochs of step 1 with a checkpoint."""
    checkpoints, given = CheckpointFolder(path=of.step_1()), of.is_given
    runs = [["--pipelines", "classifier"]]
    if given:
        # Before any work.
        space_of(of.plan.parameters.search, _epochs(checkpoints), of.plan.parameters.gan.epochs)
    else:
        runs.append(["--pipelines", "gasten", "--to-nodes", "gasten.gan.train_gan"])
    if _SHARED not in study.user_attrs or not checkpoints.exists():
        settings = of.settings(of.plan.parameters.search.generator)
        trained = "Model under test and judge" if given else "Model under test, judge and step 1"
        of.show(f"{trained}: running, log in {of.plan.folder / 'logs' / _SHARED}.log")
        for arguments in runs:
            outcome = of.run(arguments, settings, _SHARED)
            if outcome.says:
                raise _stop(of, outcome, _SHARED)
        study.set_user_attr(_SHARED, True)
    return _epochs(checkpoints)


def _epochs(checkpoints: CheckpointFolder) -> list[int]:
    return [int(name[-4:]) for name in checkpoints.load()]


def _failure(of: Search, outcome: Outcome, name: str) -> Exception:
    """A failure in the nodes of the model is the trial's; any other one stops the search."""
    of_model = (outcome.node or "").partition(".")[0] == of.model
    if of_model and not outcome.outside:
        return TrialFailed(f"{outcome.says.rstrip('.')}.")
    return _stop(of, outcome, name)


def _stop(of: Search, outcome: Outcome, name: str) -> BorderlineError:
    node = f" in {outcome.node}" if outcome.node else ""
    return BorderlineError(
        f"{name} failed{node}: {outcome.says.rstrip('.')}. The search stops, and the same command "
        f"continues it with {name}; see {of.plan.folder / 'logs' / name}.log."
    )


def _words(point: Point) -> str:
    return ", ".join(f"{name} {value}" for name, value in point.items() if value is not None)


def _ending(trial: FrozenTrial) -> str:
    """The end of a trial in words."""
    if REPEATS in trial.user_attrs:
        return f"not run, because {name_of(trial.user_attrs[REPEATS])} has the same settings"
    if trial.values is None:
        return f"failed: {trial.user_attrs[REASON]}"
    acd, fd_lenet = trial.values
    seconds = trial.user_attrs[SECONDS]
    return f"ACD {acd:.3g}, fd_lenet {fd_lenet:.3g}, after {seconds:.0f} s"

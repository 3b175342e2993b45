"""The loop of a search: trials of Optuna's NSGA-II, which a stop at any moment does not change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIISampler, RandomSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from borderline.params import RunParams
from borderline.pipelines.gasten.search_params import SearchParams
from borderline.sweeps.search_space import Point, Space

OBJECTIVES = ("acd", "fd_lenet")
"""The scores that a search minimises."""
POINT, REASON, REPEATS, SECONDS, YIELD = "settings", "failed", "repeats", "seconds", "yield"
"""Attributes of a trial: its settings, the reason of its failure, the number of an equal trial, its
duration, and its yield."""
_STUDY = "search"
_IN_VAIN = 10
"""Generations of repeats after which everything counts as tried."""


class Scores(NamedTuple):
    """The scores of a trial: ACD, the judge's Fréchet distance, and the yield."""

    acd: float
    fd_lenet: float
    share: float


class TrialFailed(Exception):
    """A trial without scores; the message is the reason. The search goes on."""


Attempt = Callable[[int, Point], Scores]
"""Runs the trial of a number with its settings; :class:`TrialFailed` if it fails."""


class _Sampler(NSGAIISampler):
    """NSGA-II for one trial.

    No draw depends on those before it: an interrupted trial may have some of its settings already.
    """

    def __init__(self, population: int, run: RunParams, number: int) -> None:
        super().__init__(population_size=population, seed=run.seed_for("search", number))
        self._run, self._number = run, number

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value, in the first generation and as a mutation."""
        random = RandomSampler(seed=self._run.seed_for("search", self._number, param_name))
        return random.sample_independent(study, trial, param_name, param_distribution)


def open_study(storage: BaseStorage) -> optuna.Study:
    """The study of a search in its store, as it is."""
    directions = [StudyDirection.MINIMIZE] * len(OBJECTIVES)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=storage, study_name=_STUDY, directions=directions, load_if_exists=True
    )


def search(
    study: optuna.Study, space: Space, params: SearchParams, run: RunParams, attempt: Attempt
) -> Iterator[FrozenTrial]:
    """Run the missing trials; yield each finished one.

    NSGA-II (Deb et al. 2002) with generations of ``population`` trials with scores. Failed trials
    have no descendants. Settings that were tried before are no trial: they are noted and proposed
    anew. The sampler of each trial has a seed of its own, and an interrupted trial runs again under
    its number: a stopped search gives the same trials as an uninterrupted one.
    """
    while (trial := _next_trial(study, params, run)) is not None:
        point = space.suggest(trial)
        trial.set_user_attr(POINT, point)
        equal = _equal(trial, point)
        if equal is not None:
            trial.set_user_attr(REPEATS, equal)
            yield study.tell(trial, state=TrialState.PRUNED)
            continue
        start = time.monotonic()
        try:
            acd, fd_lenet, share = attempt(trial.number, point)
        except TrialFailed as failure:
            trial.set_user_attr(REASON, str(failure))
            trial.set_user_attr(SECONDS, time.monotonic() - start)
            yield study.tell(trial, state=TrialState.FAIL)
        else:
            trial.set_user_attr(YIELD, share)
            trial.set_user_attr(SECONDS, time.monotonic() - start)
            yield study.tell(trial, [acd, fd_lenet])


def count_runs(study: optuna.Study) -> int:
    """The number of trials that are no repeats."""
    return sum(REPEATS not in t.user_attrs for t in study.get_trials(deepcopy=False))


def _next_trial(
    study: optuna.Study, params: SearchParams, run: RunParams
) -> optuna.trial.Trial | None:
    """The interrupted trial, else a new one; None if all are finished, or if all is tried."""
    trials = study.get_trials(deepcopy=False)
    interrupted = next((t for t in trials if t.state is TrialState.RUNNING), None)
    last = trials[-_IN_VAIN * params.population :]
    in_vain = len(last) == _IN_VAIN * params.population and all(
        REPEATS in t.user_attrs for t in last
    )
    if interrupted is None and (in_vain or count_runs(study) >= params.trials):
        return None
    number = len(trials) if interrupted is None else interrupted.number
    study.sampler = _Sampler(params.population, run, number)
    if interrupted is None:
        return study.ask()
    return optuna.trial.Trial(study, interrupted._trial_id)


def _equal(trial: optuna.trial.Trial, point: Point) -> int | None:
    """The number of an earlier trial with these settings; None if there is none."""
    finished = (TrialState.COMPLETE, TrialState.FAIL)
    earlier = trial.study.get_trials(deepcopy=False, states=finished)
    return next((t.number for t in earlier if t.user_attrs.get(POINT) == point), None)

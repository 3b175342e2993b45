"""The search for the recipe with the best clusters.

A trial is one reduction with all clusterings, because a reduction takes longer than its
clusterings.
"""

from __future__ import annotations

import functools
import json
import math
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import Trial, TrialState
from threadpoolctl import threadpool_limits

from borderline.params import RunParams
from borderline.pipelines.clustering.params import ClusteringParams, ReductionKind
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import Neighbours, Reduction, neighbours_of
from borderline.pipelines.clustering.scores import Scorer
from borderline.pipelines.clustering.study import (
    RANDOM_TRIALS,
    REPEATS,
    ROWS,
    SECONDS,
    finished,
    study_of,
    trials_table,
)
from borderline.pipelines.clustering.sweep import cluster_all


def search(
    embeddings: np.ndarray, storage: BaseStorage, params: ClusteringParams, run: RunParams
) -> Iterator[pd.DataFrame]:
    """Maximise the objective with Optuna's TPE; yield the table of trials after each trial.

    The same search goes on where it stopped; another one has its own study. Each trial has its
    own seed: an interrupted search gives the same trials as an uninterrupted one. Several processes
    may share a study in a storage with a heartbeat; their results do not repeat.

    The tables have the best clustering of each kind in each trial, by ``TRIAL_COLUMNS``, without
    scores where all clusters of a kind are degenerate.
    """
    study = study_of(embeddings, storage, params, run)
    shared = isinstance(storage, RDBStorage) and storage.get_heartbeat_interval() is not None
    _fail_stale_trials(study, shared)
    yield trials_table(study, params)
    if len(finished(study)) >= params.trials:
        return
    design = _initial_design(params)
    neighbours = neighbours_of(embeddings, params, run)
    scorer = Scorer(embeddings, params, run.seed_for("scored images"))
    lost = False

    def attempt(trial: Trial) -> float:
        nonlocal lost
        try:
            return _try(trial, embeddings, neighbours, scorer, params, run)
        except UpdateFinishedTrialError:
            lost = True
            raise

    while (done := len(finished(study))) < params.trials:
        number = len(study.get_trials(deepcopy=False)) if shared else done
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM_TRIALS, seed=run.seed_for("search", number)
        )
        _enqueue_start(study, design)
        lost = False
        try:
            # The points are few, and another number of threads would change the last bits.
            with threadpool_limits(1):
                study.optimize(attempt, n_trials=1)
        except ValueError:
            # Optuna raises this when another process failed the trial because its heartbeat had
            # stopped (for example while the machine slept).
            if not lost:
                raise
        yield trials_table(study, params)
    if shared:
        # Other processes may have finished trials since.
        yield trials_table(study, params)


def _fail_stale_trials(study: optuna.Study, shared: bool) -> None:
    """Fail the trials of killed processes."""
    if shared:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
    else:
        for stale in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(stale.number, state=TrialState.FAIL)


def _try(
    trial: Trial,
    embeddings: np.ndarray,
    neighbours: Neighbours | None,
    scorer: Scorer,
    params: ClusteringParams,
    run: RunParams,
) -> float:
    """The best objective of a trial, whose rows become an attribute of the trial."""
    start = time.perf_counter()
    reduction = _suggest(trial, params)
    equal = next((t for t in finished(trial.study) if t.params == trial.params), None)
    if equal is not None:
        trial.set_user_attr(REPEATS, equal.number)
        if equal.state is TrialState.PRUNED:
            raise optuna.TrialPruned
        return float(equal.values[0])
    seed = run.seed_for("reduction", 0)
    space = scorer.in_space(reduction.reduce(embeddings, neighbours, seed, params.search_epochs))
    rows: list[dict[str, Any]] = []
    objective, pruned = -math.inf, False
    for step, kind in enumerate(params.clusterings):
        best = cluster_all(kind, space, params, run, functools.partial(_hopeless, trial, step))
        row: dict[str, Any] = {
            "reduction": reduction.kind,
            "clustering": kind,
        }
        row |= {"state": best.reason or "found"}
        row |= {"reduction_settings": json.dumps({**reduction.settings})}
        if best.clusters is not None and best.clustering is not None:
            row |= Recipe(reduction, best.clustering).as_row()
            # JSON has no NaN.
            row |= {k: v for k, v in space.all(best.clusters).items() if pd.notna(v)}
            objective = max(objective, best.objective)
        rows.append(row)
        pruned = best.cut_short
        if pruned:
            break
    trial.set_user_attr(ROWS, rows)
    trial.set_user_attr(SECONDS, time.perf_counter() - start)
    if pruned or not math.isfinite(objective):
        raise optuna.TrialPruned
    return objective


def _hopeless(trial: Trial, step: int, objective: float) -> bool:
    """Whether to prune a trial; the step keeps each kind of clustering apart from the others."""
    if not math.isfinite(objective):
        return False
    trial.report(objective, step)
    return trial.should_prune()


def _initial_design(params: ClusteringParams) -> list[dict[str, Any]]:
    """The first trials: one of each reduction, then corners of UMAP's space."""
    (near, far), (few, many) = params.umap.n_neighbors, params.umap.n_components

    def umap(neighbours: int, dimensions: int) -> dict[str, Any]:
        return {
            "reduction": "umap",
            "umap_n_neighbors": neighbours,
            "umap_min_dist": params.umap.min_dist[0],
            "umap_n_components": dimensions,
        }

    design: list[dict[str, Any]] = [
        umap(int((near + far) / 2), few),
        {"reduction": "pca", "pca_n_components": params.pca.n_components[0]},
        {"reduction": "none"},
        {"reduction": "tsne", "tsne_perplexity": params.tsne.perplexity[1]},
        *(umap(far, few), umap(near, few), umap(near, many)),
    ]
    return [start for start in design if start["reduction"] in params.reductions]


def _enqueue_start(study: optuna.Study, design: list[dict[str, Any]]) -> None:
    """Make the next trial the first of the design that has not been tried, if there is one."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    tried = [trial.params for trial in study.get_trials(deepcopy=False, states=states)]
    left = [start for start in design if start not in tried]
    if left and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(left[0])


def _suggest(trial: Trial, params: ClusteringParams) -> Reduction:
    """The reduction that a trial tries, from the fields of its space in their order."""
    kind: ReductionKind = trial.suggest_categorical("reduction", params.reductions)  # type: ignore[assignment]
    settings: dict[str, float] = {}
    for name, bounds in getattr(params, kind, ()):
        suggest = trial.suggest_float if name == "min_dist" else trial.suggest_int
        settings[name] = suggest(f"{kind}_{name}", *bounds)
    return Reduction(kind, settings)

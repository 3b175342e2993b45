"""The search for the recipe with the best clusters: its trials, tables and reasons for no result.

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
import torch
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from threadpoolctl import threadpool_limits

from borderline.datasets.tensors import digest
from borderline.params import RunParams
from borderline.pipelines.clustering.best_of_kind import cluster_all
from borderline.pipelines.clustering.carrying import too_few
from borderline.pipelines.clustering.params import ClusteringParams, ReductionKind
from borderline.pipelines.clustering.pool import Groups, joined
from borderline.pipelines.clustering.recipe import RECIPE_COLUMNS, Recipe
from borderline.pipelines.clustering.reductions import Neighbours, Reduction, neighbours_of
from borderline.pipelines.clustering.scores import SCORES, Scorer, more_scores
from borderline.records import Embeddings, Pool

TRIAL_COLUMNS = ("trial", "state", *RECIPE_COLUMNS[:2], *SCORES, *RECIPE_COLUMNS[2:], "seconds")
COMBINATION_COLUMNS = (*RECIPE_COLUMNS[:2], "trials", *SCORES, *RECIPE_COLUMNS[2:], "note")
_SHARES = ("min_dist", "variance")

ROWS, SECONDS, REPEATS = "rows", "seconds", "repeats"
"""Attributes of a trial: its rows of the table, its duration, the number of an equal trial."""

RANDOM_TRIALS = 5
"""Trials before sampler and pruner start. Optuna's default of 10 would leave short searches to
chance; a number that depends on ``trials`` would change a search that goes on with more of them."""


def search(
    embeddings: np.ndarray,
    storage: BaseStorage,
    params: ClusteringParams,
    run: RunParams,
    groups: Groups | None = None,
) -> Iterator[pd.DataFrame]:
    """Maximise the objective with Optuna's TPE; yield the table of trials after each trial.

    ``groups`` are the embeddings of each generator and GAN.

    The same search goes on where it stopped; another one has its own study. Each trial has its
    own seed: an interrupted search gives the same trials as an uninterrupted one. Several processes
    may share a study in a storage with a heartbeat; their results do not repeat.
    """
    study = study_of(embeddings, storage, params, run)
    shared = isinstance(storage, RDBStorage) and storage.get_heartbeat_interval() is not None
    _fail_stale_trials(study, shared)
    yield trials_table(study, params)
    if len(finished(study)) >= params.trials:
        return
    design = _initial_design(params)
    neighbours = neighbours_of(embeddings, params)
    scorer = Scorer(embeddings, params, run.seed_for("scored images"), groups)
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
    settings = json.dumps({**reduction.settings})
    objective, pruned = -math.inf, False
    for step, kind in enumerate(params.searched_clusterings):
        if (reduction.kind, kind) not in params.combinations:
            continue
        best = cluster_all(kind, space, params, run, functools.partial(_hopeless, trial, step))
        row: dict[str, Any] = {"reduction": reduction.kind, "clustering": kind}
        row |= {"state": best.reason or "found", "reduction_settings": settings}
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

    def start(kind: ReductionKind) -> dict[str, Any]:
        return {f"{kind}_{name}": bounds[0] for name, bounds in _ranges(kind, params).items()}

    design: list[dict[str, Any]] = [
        umap(int((near + far) / 2), few),
        {"reduction": "pca", **start("pca")},
        {"reduction": "none"},
        {"reduction": "tsne", **start("tsne"), "tsne_perplexity": params.tsne.perplexity[1]},
        *(umap(far, few), umap(near, few), umap(near, many)),
    ]
    return [first for first in design if first["reduction"] in params.searched_reductions]


def _enqueue_start(study: optuna.Study, design: list[dict[str, Any]]) -> None:
    """Make the next trial the first of the design that has not been tried, if there is one."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    tried = [trial.params for trial in study.get_trials(deepcopy=False, states=states)]
    left = [start for start in design if start not in tried]
    if left and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(left[0])


def _suggest(trial: Trial, params: ClusteringParams) -> Reduction:
    """The reduction that a trial tries, from the fields of its space in their order."""
    kinds = params.searched_reductions
    kind: ReductionKind = trial.suggest_categorical("reduction", kinds)  # type: ignore[assignment]
    settings: dict[str, float] = {}
    for name, bounds in _ranges(kind, params).items():
        suggest = trial.suggest_float if name in _SHARES else trial.suggest_int
        settings[name] = suggest(f"{kind}_{name}", *bounds)
    return Reduction(kind, settings)


def _ranges(kind: ReductionKind, params: ClusteringParams) -> dict[str, tuple[Any, Any]]:
    """The ranges of a reduction's settings by name.

    A setting that came later counts only where it is set, so that earlier searches go on.
    """
    space = getattr(params, kind, None)
    if space is None:
        return {}
    if kind == "pca" and space.variance is not None:
        return {"variance": space.variance}
    return dict(space.model_dump(exclude_defaults=True))


def study_of(
    embeddings: np.ndarray, storage: BaseStorage, params: ClusteringParams, run: RunParams
) -> optuna.Study:
    """The study of these embeddings and settings, a new one where there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # These change the length of the search and the use of its result, not its trials.
    later = {"trials", "fewest_images", "finalists", "epochs", "stability", "structure"}
    later |= {"together", "pool", "exemplars", "images_per_pattern", "also", "alone"}
    more = {"seed": run.seed, "most_patterns": params.most_patterns}
    # Settings that came later count where they are set: they have a default in the code.
    settings = json.dumps(params.model_dump(exclude=later, exclude_defaults=True) | more)
    content = torch.from_numpy(np.ascontiguousarray(embeddings))
    name = digest(content, torch.tensor(list(settings.encode()), dtype=torch.uint8))
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=RANDOM_TRIALS),
    )


def finished(study: optuna.Study, trials: int | None = None) -> list[FrozenTrial]:
    """The completed and pruned trials in their order; only the first ``trials`` of them, if set."""
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=ended)[:trials]


def trials_table(study: optuna.Study, params: ClusteringParams) -> pd.DataFrame:
    """The best clustering of each kind in each finished trial, without scores if degenerate."""
    rows: list[dict[str, Any]] = []
    trials = finished(study, params.trials)
    # A kill leaves gaps in Optuna's numbers; the table counts without them.
    numbers = {trial.number: number for number, trial in enumerate(trials)}
    for number, trial in enumerate(trials):
        if (first := trial.user_attrs.get(REPEATS)) is not None:
            rows.append({"trial": number, "state": f"as trial {numbers.get(first, first)}"})
        for row in trial.user_attrs.get(ROWS, []):
            cut_off = row["state"] == "found" and trial.state is TrialState.PRUNED
            state = "found, then pruned" if cut_off else row["state"]
            seconds = trial.user_attrs[SECONDS]
            rows.append({"trial": number, **row, "state": state, "seconds": seconds})
    return pd.DataFrame(rows, columns=[*TRIAL_COLUMNS, *more_scores(params)])


def no_trials(params: ClusteringParams) -> pd.DataFrame:
    """The table of trials before the first one."""
    return pd.DataFrame(columns=[*TRIAL_COLUMNS, *more_scores(params)])


def best_first(trials: pd.DataFrame) -> pd.DataFrame:
    """The rows that have an objective, best first; equal ones in their order."""
    ranked = trials.sort_values("objective", ascending=False, kind="stable")
    return ranked[ranked["objective"].notna()]


def combinations(trials: pd.DataFrame, params: ClusteringParams) -> pd.DataFrame:
    """The best row of each combination of a reduction and a clustering, best first.

    Combinations without clusters have a ``note`` instead of scores.
    """
    rows = []
    for reduction, clustering in params.combinations:
        kinds = {"reduction": reduction, "clustering": clustering}
        tried = trials[(trials["reduction"] == reduction) & (trials["clustering"] == clustering)]
        ranked = best_first(tried)
        best: dict[Any, Any] = ranked.iloc[0].to_dict() if len(ranked) else {}
        note = "" if best else "; ".join(tried["state"].unique()) or "not tried yet"
        rows.append({**best, **kinds, "trials": len(tried), "note": note})
    table = pd.DataFrame(rows, columns=[*COMBINATION_COLUMNS, *more_scores(params)])
    return table.sort_values("objective", ascending=False, kind="stable", ignore_index=True)


def fitted_vectors(embeddings: Embeddings, pool: Pool, params: ClusteringParams) -> np.ndarray:
    """The embeddings that clusterings are fitted on, shape (m, D): those of the pool where the
    generators are clustered together."""
    if params.together and pool:
        return joined(pool, "embeddings")
    vectors: np.ndarray = embeddings["embeddings"][embeddings["fitted"]].numpy()
    return vectors


def why_no_recipe(embeddings: Embeddings, trials: pd.DataFrame, params: ClusteringParams) -> str:
    """Why the search and the full fits gave no recipe."""
    few = too_few(embeddings, params)
    if few or len(best_first(trials)):
        return few or "no recipe gives usable clusters when it is fitted with clustering.epochs"
    most_often = trials["state"][trials["reduction"].notna()].value_counts().index[0]
    return f"none of the {params.trials} trials gives usable clusters (most often: {most_often})"

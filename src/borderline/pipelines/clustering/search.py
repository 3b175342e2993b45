"""The search for the recipe whose clusters are best.

A trial is one reduction, on which every clustering is tried: a reduction takes longer than all
the clusterings of what it gives.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from joblib import Memory
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from threadpoolctl import threadpool_limits

from borderline.datasets.tensors import digest
from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import Clustering, FittedClustering, sweep
from borderline.pipelines.clustering.neighbours import Neighbours, nearest_neighbours
from borderline.pipelines.clustering.params import ClusteringKind, ClusteringParams, ReductionKind
from borderline.pipelines.clustering.recipe import RECIPE_COLUMNS, ClusterModel, Recipe
from borderline.pipelines.clustering.reductions import Reduction
from borderline.pipelines.clustering.scores import SCORES, Scorer, SpaceScorer, degenerate

TRIAL_COLUMNS = ("trial", "state", *RECIPE_COLUMNS[:2], *SCORES, *RECIPE_COLUMNS[2:], "seconds")
COMBINATION_COLUMNS = (*RECIPE_COLUMNS[:2], "trials", *SCORES, *RECIPE_COLUMNS[2:], "note")

_ROWS, _SECONDS, _REPEATS = "rows", "seconds", "repeats"
# Optuna's default of 10 would leave short searches to chance. Neither may depend on the number of
# trials, or a search that goes on would not find what it would have found.
_RANDOM_TRIALS = 5


def neighbours_of(
    embeddings: np.ndarray, params: ClusteringParams, run: RunParams
) -> Neighbours | None:
    """The graph that every reduction of these embeddings takes; None where none needs one."""
    if "umap" not in params.reductions:
        return None
    return nearest_neighbours(embeddings, params.umap.n_neighbors[1], run.seed_for("neighbours"))


def search(
    embeddings: np.ndarray, storage: BaseStorage, params: ClusteringParams, run: RunParams
) -> Iterator[pd.DataFrame]:
    """Maximise the objective with Optuna's TPE and yield all rows found so far after each trial.

    The study is named after the embeddings and the settings: an equal search goes on where it
    stopped, any other one is a study of its own beside it. Each trial has a seed of its own, so
    that a search that was stopped finds what it would have found. Several processes may share the
    study of a store with a heartbeat, but then they do not repeat.

    Args:
        embeddings: Shape (N, D).
        storage: Where Optuna keeps its studies.
        params: The spaces, the objective and the number of trials.
        run: The seed.

    Yields:
        Tables with the columns ``TRIAL_COLUMNS``: of each trial the best clustering of each kind;
        no scores where a kind found none that is not degenerate.
    """
    study = study_of(embeddings, storage, params, run)
    shared = isinstance(storage, RDBStorage) and storage.get_heartbeat_interval() is not None
    if shared:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
    else:
        for stale in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(stale.number, state=TrialState.FAIL)
    yield _table(study, params)
    if len(finished(study)) >= params.trials:
        return
    design = _initial_design(params)
    neighbours = neighbours_of(embeddings, params, run)
    scorer = Scorer(embeddings, params, run.seed_for("scored images"))
    given_up = False

    def attempt(trial: Trial) -> float:
        nonlocal given_up
        try:
            return _try(trial, embeddings, neighbours, scorer, params, run)
        except UpdateFinishedTrialError:
            given_up = True
            raise

    while (done := len(finished(study))) < params.trials:
        number = len(study.get_trials(deepcopy=False)) if shared else done
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=_RANDOM_TRIALS, seed=run.seed_for("search", number)
        )
        _enqueue_start(study, design)
        given_up = False
        try:
            # The points are few, and another number of threads would change the last bits.
            with threadpool_limits(1):
                study.optimize(attempt, n_trials=1)
        except ValueError:
            # Optuna says so of a trial that another process has ended, which heard nothing of it
            # for long, as of a computer that slept.
            if not given_up:
                raise
        yield _table(study, params)
    if shared:
        # Others may have finished trials since.
        yield _table(study, params)


def study_of(
    embeddings: np.ndarray, storage: BaseStorage, params: ClusteringParams, run: RunParams
) -> optuna.Study:
    """The study of these embeddings and settings, a new one where there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # These say how long to search, and what to do with its result.
    later = {"trials", "fewest_images", "finalists", "epochs", "stability", "structure"}
    settings = json.dumps(params.model_dump(exclude=later) | {"seed": run.seed})
    content = torch.from_numpy(np.ascontiguousarray(embeddings))
    name = digest(content, torch.tensor(list(settings.encode()), dtype=torch.uint8))
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_RANDOM_TRIALS),
    )


def cluster_all(
    kind: ClusteringKind,
    space: SpaceScorer,
    params: ClusteringParams,
    run: RunParams,
    hopeless: Callable[[float], bool] | None = None,
) -> tuple[FittedClustering | None, Clustering | None, float, str]:
    """Try the clusterings of a kind in one space: those that are spread, then those near the best.

    Args:
        kind: The kind.
        space: Where to cluster, and how that is scored.
        params: The kind's space.
        run: The seed.
        hopeless: Is told the best objective of the first ones, and says whether to leave the rest.

    Returns:
        The best clusters, how they were found, their objective, and why there are none.
    """
    best: tuple[FittedClustering | None, Clustering | None, float] = (None, None, -math.inf)
    reasons: list[str] = []
    first, others = sweep(kind, params)
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(folder, verbose=0)
        for part in (first, others):
            if part is others:
                if hopeless and hopeless(best[2]):
                    break
                part = [other for other in others if best[1] is None or other.is_near(best[1])]
            for clustering in part:
                found = clustering.fit(space.points, run.seed_for("clustering", 0), memory)
                value = math.nan if found is None else space.objective(found)
                if not math.isnan(value) and value > best[2]:
                    best = found, clustering, value
                elif math.isnan(value):
                    reasons.append(degenerate(found.labels, params) if found else "no fit")
    common = Counter(reason or "no value of the objective" for reason in reasons).most_common(1)
    return *best, "" if best[0] else common[0][0]


def finished(study: optuna.Study, trials: int | None = None) -> list[FrozenTrial]:
    """The trials that came to an end, pruned ones among them, in their order.

    Args:
        study: A study that ``search`` made.
        trials: How many of them count; None for all.
    """
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=ended)[:trials]


def best_objective(trial: FrozenTrial) -> float | None:
    """The best that a trial found, also where it was then pruned; None for nothing."""
    rows = trial.user_attrs.get(_ROWS, [])
    return max((row["objective"] for row in rows if "objective" in row), default=None)


def best_first(trials: pd.DataFrame) -> pd.DataFrame:
    """The rows that have an objective, the best first; of equals, the first found."""
    ranked = trials.sort_values("objective", ascending=False, kind="stable")
    return ranked[ranked["objective"].notna()]


def combinations(trials: pd.DataFrame, params: ClusteringParams) -> pd.DataFrame:
    """The best row of each combination of a reduction and a clustering, the best first.

    Args:
        trials: A table that :func:`search` yielded.
        params: Names the combinations; those that found nothing are there too, with a note.

    Returns:
        Columns ``COMBINATION_COLUMNS``.
    """
    rows = []
    for reduction in params.reductions:
        for clustering in params.clusterings:
            kinds = {"reduction": reduction, "clustering": clustering}
            own = trials[(trials["reduction"] == reduction) & (trials["clustering"] == clustering)]
            ranked = best_first(own)
            best: dict[Any, Any] = ranked.iloc[0].to_dict() if len(ranked) else {}
            reasons = own["state"].drop_duplicates().tolist()
            note = "" if best else "; ".join(reasons) or "not tried yet"
            rows.append({**best, **kinds, "trials": len(own), "note": note})
    table = pd.DataFrame(rows, columns=list(COMBINATION_COLUMNS))
    return table.sort_values("objective", ascending=False, kind="stable", ignore_index=True)


def finalists(
    trials: pd.DataFrame,
    embeddings: np.ndarray,
    params: ClusteringParams,
    run: RunParams,
) -> list[tuple[ClusterModel, dict[str, Any]]]:
    """Fit the best recipes again, in full, and rank them by what they are then.

    The search's short UMAP may flatter a recipe, so its own winner is not taken on trust.

    Returns:
        The clusters and all scores of each, the best first; degenerate ones are left out.
    """
    ranked = best_first(trials)
    if ranked.empty:  # as there may be no image at all
        return []
    neighbours = neighbours_of(embeddings, params, run)
    scorer = Scorer(embeddings, params, run.seed_for("scored images"))
    fitted: list[tuple[ClusterModel, dict[str, Any]]] = []
    for _, row in ranked.iterrows():
        if len(fitted) == params.finalists:
            break
        model = Recipe.of_row(row).fit(embeddings, neighbours, params.epochs, run)
        if model is None:
            continue
        with threadpool_limits(1):
            scores = scorer.in_space(model.points).all(model.clusters)
        if not math.isnan(float(scores["objective"])):
            fitted.append((model, {"trial": row["trial"], "searched": row["objective"], **scores}))
    return sorted(fitted, key=lambda pair: -pair[1]["objective"])


def _initial_design(params: ClusteringParams) -> list[dict[str, Any]]:
    """The middle of each reduction's space, then corners of UMAP's."""

    def middle(bounds: tuple[float, float]) -> float:
        return (bounds[0] + bounds[1]) / 2

    umap, (few, many) = params.umap, params.umap.n_components
    near, far = umap.n_neighbors
    starts: dict[ReductionKind, dict[str, float]] = {
        "umap": {
            "umap_n_neighbors": int(middle(umap.n_neighbors)),
            "umap_min_dist": umap.min_dist[0],
            "umap_n_components": few,
        },
        "pca": {"pca_n_components": params.pca.n_components[0]},
        "none": {},
        "tsne": {"tsne_perplexity": params.tsne.perplexity[1]},
    }
    design: list[dict[str, Any]] = []
    for kind, start in starts.items():
        if kind in params.reductions:
            design.append({"reduction": kind, **start})
    if "umap" in params.reductions:
        for neighbours, dimensions in ((far, few), (near, few), (near, many)):
            corner = {"umap_n_neighbors": neighbours, "umap_n_components": dimensions}
            design.append({"reduction": "umap", "umap_min_dist": umap.min_dist[0], **corner})
    return design


def _enqueue_start(study: optuna.Study, design: list[dict[str, Any]]) -> None:
    """Let the next trial be the first of the design that none has tried, where there is one."""
    going = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    tried = [trial.params for trial in study.get_trials(deepcopy=False, states=going)]
    left = [start for start in design if start not in tried]
    if left and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(left[0])


def _suggest(trial: Trial, params: ClusteringParams) -> Reduction:
    kind: ReductionKind = trial.suggest_categorical("reduction", params.reductions)  # type: ignore[assignment]
    if kind == "umap":
        space = params.umap
        return Reduction(
            kind,
            {
                "n_neighbors": trial.suggest_int("umap_n_neighbors", *space.n_neighbors),
                "min_dist": trial.suggest_float("umap_min_dist", *space.min_dist),
                "n_components": trial.suggest_int("umap_n_components", *space.n_components),
            },
        )
    if kind == "tsne":
        return Reduction(
            kind, {"perplexity": trial.suggest_int("tsne_perplexity", *params.tsne.perplexity)}
        )
    if kind == "pca":
        bounds = params.pca.n_components
        return Reduction(kind, {"n_components": trial.suggest_int("pca_n_components", *bounds)})
    return Reduction(kind, {})


def _try(
    trial: Trial,
    embeddings: np.ndarray,
    neighbours: Neighbours | None,
    scorer: Scorer,
    params: ClusteringParams,
    run: RunParams,
) -> float:
    start = time.perf_counter()
    reduction = _suggest(trial, params)
    twin = next((t for t in finished(trial.study) if t.params == trial.params), None)
    if twin is not None:
        trial.set_user_attr(_REPEATS, twin.number)
        if twin.state is TrialState.PRUNED:
            raise optuna.TrialPruned
        return float(twin.values[0])
    points = reduction.reduce(
        embeddings, neighbours, run.seed_for("reduction", 0), params.search_epochs
    )
    space = scorer.in_space(points)
    rows: list[dict[str, Any]] = []
    pruned = False
    best = -math.inf
    for step, kind in enumerate(params.clusterings):

        def hopeless(so_far: float, step: int = step) -> bool:
            nonlocal pruned
            # Clusterings are compared with their own kind's: each has a step of its own.
            if math.isfinite(so_far):
                trial.report(so_far, step)
                if trial.should_prune():
                    pruned = True
                    return True
            return False

        found, clustering, value, reason = cluster_all(kind, space, params, run, hopeless)
        row = {"reduction": reduction.kind, "clustering": kind, "state": reason or "found"}
        row["reduction_settings"] = json.dumps({**reduction.settings})
        if found is not None and clustering is not None:
            row |= Recipe(reduction, clustering).as_row() | _storable(space.all(found))
            best = max(best, value)
        rows.append(row)
        if pruned:
            break
    trial.set_user_attr(_ROWS, rows)
    trial.set_user_attr(_SECONDS, time.perf_counter() - start)
    if pruned or not math.isfinite(best):
        raise optuna.TrialPruned
    return best


def _storable(scores: dict[str, Any]) -> dict[str, Any]:
    """Without NaN, which is no JSON."""
    return {k: v for k, v in scores.items() if not (isinstance(v, float) and math.isnan(v))}


def _table(study: optuna.Study, params: ClusteringParams) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    trials = finished(study, params.trials)
    # Trials that a kill cut off have numbers of their own, which nobody needs to see.
    numbers = {trial.number: number for number, trial in enumerate(trials)}
    for number, trial in enumerate(trials):
        if (first := trial.user_attrs.get(_REPEATS)) is not None:
            rows.append({"trial": number, "state": f"as trial {numbers.get(first, first)}"})
        for row in trial.user_attrs.get(_ROWS, []):
            left = row["state"] == "found" and trial.state is TrialState.PRUNED
            state = "found, then pruned" if left else row["state"]
            rows.append(
                {"trial": number, **row, "state": state, "seconds": trial.user_attrs[_SECONDS]}
            )
    return pd.DataFrame(rows, columns=list(TRIAL_COLUMNS))

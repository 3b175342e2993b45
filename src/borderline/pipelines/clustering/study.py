"""Optuna's study of a search, the tables of its trials, and the reasons for no result."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from borderline.datasets.tensors import digest
from borderline.params import RunParams
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.recipe import RECIPE_COLUMNS
from borderline.pipelines.clustering.scores import SCORES
from borderline.records import Embeddings

TRIAL_COLUMNS = ("trial", "state", *RECIPE_COLUMNS[:2], *SCORES, *RECIPE_COLUMNS[2:], "seconds")
COMBINATION_COLUMNS = (*RECIPE_COLUMNS[:2], "trials", *SCORES, *RECIPE_COLUMNS[2:], "note")

ROWS, SECONDS, REPEATS = "rows", "seconds", "repeats"
"""Attributes of a trial: its rows of the table, its duration, the number of an equal trial."""

RANDOM_TRIALS = 5
"""Trials before sampler and pruner start. Optuna's default of 10 would leave short searches to
chance; a number that depends on ``trials`` would change a search that goes on with more of them."""


def study_of(
    embeddings: np.ndarray, storage: BaseStorage, params: ClusteringParams, run: RunParams
) -> optuna.Study:
    """The study of these embeddings and settings, a new one where there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # These change the length of the search and the use of its result, not its trials.
    later = {"trials", "fewest_images", "finalists", "epochs", "stability", "structure"}
    settings = json.dumps(params.model_dump(exclude=later) | {"seed": run.seed})
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
    """The rows of all finished trials, by ``TRIAL_COLUMNS``."""
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
    return pd.DataFrame(rows, columns=list(TRIAL_COLUMNS))


def best_first(trials: pd.DataFrame) -> pd.DataFrame:
    """The rows that have an objective, best first; equal ones in their order."""
    ranked = trials.sort_values("objective", ascending=False, kind="stable")
    return ranked[ranked["objective"].notna()]


def combinations(trials: pd.DataFrame, params: ClusteringParams) -> pd.DataFrame:
    """The best row of each combination of a reduction and a clustering, best first.

    Combinations without clusters have a ``note`` instead of scores.
    """
    rows = []
    for reduction, clustering in itertools.product(params.reductions, params.clusterings):
        kinds = {"reduction": reduction, "clustering": clustering}
        tried = trials[(trials["reduction"] == reduction) & (trials["clustering"] == clustering)]
        ranked = best_first(tried)
        best: dict[Any, Any] = ranked.iloc[0].to_dict() if len(ranked) else {}
        note = "" if best else "; ".join(tried["state"].unique()) or "not tried yet"
        rows.append({**best, **kinds, "trials": len(tried), "note": note})
    table = pd.DataFrame(rows, columns=list(COMBINATION_COLUMNS))
    return table.sort_values("objective", ascending=False, kind="stable", ignore_index=True)


def fitted_vectors(embeddings: Embeddings) -> np.ndarray:
    """The embeddings that clusterings are fitted on, shape (m, D)."""
    vectors: np.ndarray = embeddings["embeddings"][embeddings["fitted"]].numpy()
    return vectors


def too_few(embeddings: Embeddings, params: ClusteringParams) -> str:
    """Why there are too few images for a search; empty where there are enough."""
    count, limit = len(embeddings["embeddings"]), params.fewest_images
    setting = f"(clustering.fewest_images is {limit})"
    if count < limit:
        return f"there are only {count} borderline images {setting}"
    distinct = len(np.unique(fitted_vectors(embeddings), axis=0))
    if distinct < limit:
        return f"the model distinguishes only {distinct} of its borderline images {setting}"
    return ""


def why_no_recipe(embeddings: Embeddings, trials: pd.DataFrame, params: ClusteringParams) -> str:
    """Why the search and the full fits gave no recipe."""
    few = too_few(embeddings, params)
    if few or len(best_first(trials)):
        return few or "no recipe gives usable clusters when it is fitted with clustering.epochs"
    most_often = trials["state"][trials["reduction"].notna()].value_counts().index[0]
    return f"none of the {params.trials} trials gives usable clusters (most often: {most_often})"

"""The search for the recipe whose clusters lie furthest apart."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import optuna
import pandas as pd
import torch
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from borderline.datasets.tensors import digest
from borderline.params import RunParams
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.recipe import Recipe, score_clusters

TRIAL_COLUMNS = (
    "trial",
    "silhouette",
    "davies_bouldin",
    "n_neighbors",
    "min_dist",
    "n_components",
    "n_clusters",
)

# Optuna's own default of 10 would leave short searches to chance. It must not depend on the number
# of trials, or a search that goes on would not find what it would have found.
_RANDOM_TRIALS = 5


def search(
    embeddings: np.ndarray, storage: BaseStorage, params: ClusteringParams, run: RunParams
) -> Iterator[pd.DataFrame]:
    """Maximise the silhouette with Optuna's TPE and yield the table of trials after each.

    The study is named after the embeddings and the settings: an equal search goes on where it
    stopped, any other one is a study of its own beside it. Each trial has a seed of its own, so
    that a search that was stopped finds what it would have found.

    Args:
        embeddings: Shape (N, D).
        storage: Where Optuna keeps its studies.
        params: The space and the number of trials.
        run: The seed.

    Yields:
        Tables with the columns ``TRIAL_COLUMNS``; the silhouette is empty where a trial found
        fewer than two clusters.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=_study_name(embeddings, params, run),
        direction="maximize",
        load_if_exists=True,
    )
    for stale in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(stale.number, state=TrialState.FAIL)
    yield _table(study, params.trials)
    while (done := len(_finished(study))) < params.trials:
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=_RANDOM_TRIALS, seed=run.seed_for("search", done)
        )
        trial = study.ask()
        scores = _try(_suggest(trial, params, len(embeddings)), embeddings, run)
        if scores is None:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            trial.set_user_attr("davies_bouldin", scores["davies_bouldin"])
            study.tell(trial, scores["silhouette"])
        yield _table(study, params.trials)


def best_recipe(trials: pd.DataFrame) -> Recipe | None:
    """The recipe of the highest silhouette, the first of equals; None when no trial had one.

    Args:
        trials: A table that :func:`search` yielded.
    """
    if not trials["silhouette"].notna().any():
        return None
    best = trials.iloc[int(trials["silhouette"].to_numpy(dtype=float, na_value=-2).argmax())]
    return Recipe(
        n_neighbors=int(best["n_neighbors"]),
        min_dist=float(best["min_dist"]),
        n_components=int(best["n_components"]),
        n_clusters=int(best["n_clusters"]),
    )


def _suggest(trial: Trial, params: ClusteringParams, n_images: int) -> Recipe:
    # UMAP's spectral start needs fewer dimensions, and its graph fewer neighbours, than images.
    most = n_images // 2

    def integer(name: str, bounds: tuple[int, int]) -> int:
        low, high = bounds
        return trial.suggest_int(name, min(low, most), min(high, most))

    return Recipe(
        n_neighbors=integer("n_neighbors", params.umap.n_neighbors),
        min_dist=trial.suggest_float("min_dist", *params.umap.min_dist),
        n_components=integer("n_components", params.umap.n_components),
        n_clusters=integer("n_clusters", params.gmm.n_components),
    )


def _try(recipe: Recipe, embeddings: np.ndarray, run: RunParams) -> dict[str, float] | None:
    reduced = recipe.reduce(embeddings, run.seed_for("umap"))
    labels = recipe.cluster(reduced, run.seed_for("gmm"))
    return score_clusters(reduced, labels) if labels.max() > 0 else None


def _study_name(embeddings: np.ndarray, params: ClusteringParams, run: RunParams) -> str:
    settings = json.dumps(params.model_dump(exclude={"trials"}) | {"seed": run.seed})
    content = torch.from_numpy(np.ascontiguousarray(embeddings))
    return digest(content, torch.tensor(list(settings.encode()), dtype=torch.uint8))


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _table(study: optuna.Study, trials: int) -> pd.DataFrame:
    rows = [
        {
            "trial": number,
            "silhouette": trial.value,
            "davies_bouldin": trial.user_attrs.get("davies_bouldin"),
            **trial.params,
        }
        for number, trial in enumerate(_finished(study)[:trials])
    ]
    return pd.DataFrame(rows, columns=list(TRIAL_COLUMNS))

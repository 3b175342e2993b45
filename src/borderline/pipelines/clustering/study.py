"""Optuna's study of a search, and the tables that its trials carry."""

from __future__ import annotations

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
from borderline.pipelines.clustering.tables import TRIAL_COLUMNS

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


def best_objective(trial: FrozenTrial) -> float | None:
    """The best objective of a trial, pruned or not; None where it has none."""
    rows = trial.user_attrs.get(ROWS, [])
    return max((row["objective"] for row in rows if "objective" in row), default=None)


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

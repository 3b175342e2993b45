"""Charts of the search."""

from __future__ import annotations

import warnings

import optuna
import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial

from borderline.pipelines.clustering.study import best_objective, finished

_FEWEST_TRIALS = 3


def draw_search(study: optuna.Study | None, trials: int) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Optuna's charts: history, importances and slices.

    Only the first ``trials`` finished trials are drawn; a pruned one counts with its best
    objective. The settings depend on the reduction, so the last two charts show the reduction with
    the most trials.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ended = finished(study, trials) if study else []
    tried = [_with_value(t, best) for t in ended if (best := best_objective(t)) is not None]
    if not tried:
        return _note("No trials"), _note("No trials"), _note("No trials")
    kinds = [trial.params["reduction"] for trial in tried]
    most = max(kinds, key=lambda kind: (kinds.count(kind), kind == "umap"))
    alike = [trial for trial in tried if trial.params["reduction"] == most]
    settings = sorted({name for trial in alike for name in trial.params} - {"reduction"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        history = optuna.visualization.plot_optimization_history(_study(tried))
        if len(alike) >= _FEWEST_TRIALS and settings:
            study_of_alike = _study(alike)
            importances = optuna.visualization.plot_param_importances(
                study_of_alike, params=settings
            )
            slices = optuna.visualization.plot_slice(study_of_alike, params=settings)
        else:
            importances = slices = _note("Too few trials of one reduction for this chart")
    history.update_layout(title="The search: objective by trial")
    importances.update_layout(title=f"Importance of the settings of {most}, {len(alike)} trials")
    slices.update_layout(title=f"Objective by the settings of {most}, {len(alike)} trials")
    for chart in (history, importances, slices):
        chart.update_layout(template="plotly_white")
    return history, importances, slices


def _with_value(trial: FrozenTrial, value: float) -> FrozenTrial:
    return optuna.trial.create_trial(
        params=trial.params, distributions=trial.distributions, value=value
    )


def _study(trials: list[FrozenTrial]) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    return study


def _note(text: str) -> go.Figure:
    chart = go.Figure()
    chart.add_annotation(text=text, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    return chart.update_layout(template="plotly_white", xaxis_visible=False, yaxis_visible=False)

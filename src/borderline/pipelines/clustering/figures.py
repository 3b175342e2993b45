"""Pictures of the search, and of the clusters' images."""

from __future__ import annotations

import warnings

import optuna
import plotly.graph_objects as go
from matplotlib.figure import Figure
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial
from torch import Tensor

from borderline.measures.plots import add_probability_scale, framed_grid
from borderline.pipelines.clustering.search import best_objective, finished

_COLUMNS = 12
_FEWEST_TRIALS = 3


def draw_clusters(
    images: Tensor, p: Tensor, labels: Tensor, captions: list[str], title: str
) -> Figure:
    """The first images of each cluster, a row a cluster, each framed in the colour of p.

    Args:
        images: Images in [-1, 1], shape (N, C, H, W).
        p: Their probabilities, shape (N,).
        labels: Their clusters, shape (N,), from 0; -1 for none.
        captions: What to write beside each cluster; one without images stays empty.
        title: What the images are.
    """
    height = 0.8 * max(len(captions), 1) + 1
    figure = Figure(figsize=(0.8 * _COLUMNS + 2.5, height), layout="constrained", dpi=120)
    figure.suptitle(title)
    if not captions:
        figure.text(0.5, 0.4, "no clusters", ha="center")
        return figure
    rows = list(figure.subplots(len(captions), 1, squeeze=False)[:, 0])
    for cluster, (axes, caption) in enumerate(zip(rows, captions, strict=True)):
        shown = (labels == cluster).nonzero()[:_COLUMNS, 0]
        axes.set_axis_off()
        if len(shown):
            grid = framed_grid(images[shown], p[shown], _COLUMNS)
            axes.imshow(grid, interpolation="nearest")
        axes.text(
            -0.01, 0.5, caption, transform=axes.transAxes, ha="right", va="center", fontsize=9
        )
    add_probability_scale(figure, rows)
    return figure


def draw_search(study: optuna.Study | None, trials: int) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Optuna's own plots: history, importances and slices.

    Pruned trials are shown with the best that they had found. Trials of different reductions have
    different settings, so the last two plots are of the reduction that was tried most often.

    Args:
        study: A study that ``search`` made; None where there was no search.
        trials: How many of its finished trials count.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ended = finished(study, trials) if study else []
    tried = [_with_value(t, best) for t in ended if (best := best_objective(t)) is not None]
    if not tried:
        return _note("No trials"), _note("No trials"), _note("No trials")
    kinds = [trial.params["reduction"] for trial in tried]
    most = max(kinds, key=lambda kind: (kinds.count(kind), kind == "umap"))
    own = [trial for trial in tried if trial.params["reduction"] == most]
    settings = sorted({name for trial in own for name in trial.params} - {"reduction"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        history = optuna.visualization.plot_optimization_history(_study(tried))
        if len(own) >= _FEWEST_TRIALS and settings:
            importances = optuna.visualization.plot_param_importances(_study(own), params=settings)
            slices = optuna.visualization.plot_slice(_study(own), params=settings)
        else:
            importances = slices = _note("Too few trials of one reduction for this picture")
    history.update_layout(title="The search")
    importances.update_layout(
        title=f"What mattered among the settings of {most}, {len(own)} trials"
    )
    slices.update_layout(title=f"The objective along the settings of {most}, {len(own)} trials")
    for figure in (history, importances, slices):
        figure.update_layout(template="plotly_white")
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
    figure = go.Figure()
    figure.add_annotation(text=text, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    return figure.update_layout(template="plotly_white", xaxis_visible=False, yaxis_visible=False)

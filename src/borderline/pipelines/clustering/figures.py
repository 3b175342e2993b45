"""Charts of the search, and figures of the clusters' images."""

from __future__ import annotations

import warnings

import optuna
import pandas as pd
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial
from torch import Tensor

from borderline.measures.class_names import ClassNames
from borderline.measures.plots import add_probability_scale, cell_of, framed_grid
from borderline.pipelines.clustering.search import ROWS, finished
from borderline.records import Clusters, Part

_FEWEST_TRIALS = 3
_COLUMNS = 12


def draw_search(study: optuna.Study | None, trials: int) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Optuna's charts: history, importances and slices.

    Only the first ``trials`` finished trials are drawn; a pruned one counts with its best
    objective. The settings depend on the reduction, so the last two charts show the reduction with
    the most trials.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ended = finished(study, trials) if study else []
    tried = [valued for trial in ended if (valued := _with_value(trial)) is not None]
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
            of_kind = _study(alike)
            importances = optuna.visualization.plot_param_importances(of_kind, params=settings)
            slices = optuna.visualization.plot_slice(of_kind, params=settings)
        else:
            importances = slices = _note("Too few trials of one reduction for this chart")
    of_kind_title = f"the settings of {most}, {len(alike)} trials"
    history.update_layout(title="The search: objective by trial", template="plotly_white")
    importances.update_layout(title=f"Importance of {of_kind_title}", template="plotly_white")
    slices.update_layout(title=f"Objective by {of_kind_title}", template="plotly_white")
    return history, importances, slices


def _with_value(trial: FrozenTrial) -> FrozenTrial | None:
    """The trial, pruned or not, with its best objective; None where it has none."""
    values = [row["objective"] for row in trial.user_attrs.get(ROWS, []) if "objective" in row]
    if not values:
        return None
    return optuna.trial.create_trial(
        params=trial.params, distributions=trial.distributions, value=max(values)
    )


def _study(trials: list[FrozenTrial]) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    return study


def _note(text: str) -> go.Figure:
    chart = go.Figure()
    chart.add_annotation(text=text, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    return chart.update_layout(template="plotly_white", xaxis_visible=False, yaxis_visible=False)


def draw_borderline(
    borderline: Part,
    clusters: Clusters,
    sizes: pd.DataFrame,
    names: ClassNames,
    threshold: float,
) -> Figure:
    """Borderline images of each cluster, with its size and, where it is known, its stability.

    In a continuum, those nearest to each exemplar.
    """
    captions = [
        f"{row['cluster']}: {row['images']} images"
        + ("" if pd.isna(row["stability"]) else f"\nstability {row['stability']:.2f}")
        for row in sizes.to_dict("records")
    ]
    of_each = "nearest to each exemplar" if "exemplars" in clusters else "of each cluster"
    title = f"Borderline images {of_each}, framed in the colour of p"
    images, p = borderline["images"], borderline["probabilities"]
    return draw_clusters(images, p, clusters["labels"], captions, title, names, threshold)


def draw_real(
    test_images: Tensor,
    table: pd.DataFrame,
    clusters: int,
    names: ClassNames,
    *,
    threshold: float = 0.5,
    continuum: bool = False,
) -> Figure:
    """Borderline real test images by cluster, from the table of their assignment.

    In a ``continuum``, they are by exemplar.
    """
    rows, p, labels = (torch.tensor(table[name].to_numpy()) for name in ("row", "p", "cluster"))
    counts = torch.bincount(labels[labels >= 0], minlength=clusters).tolist()
    captions = [f"{cluster}: {count} images" for cluster, count in enumerate(counts)]
    of_each = "nearest to each exemplar" if continuum else "of each cluster"
    title = f"Borderline real test images {of_each}, framed in the colour of p"
    return draw_clusters(test_images[rows], p, labels, captions, title, names, threshold)


def draw_clusters(
    images: Tensor,
    p: Tensor,
    labels: Tensor,
    captions: list[str],
    title: str,
    names: ClassNames | None = None,
    threshold: float = 0.5,
) -> Figure:
    """The first images (N, C, H, W) of each cluster, a row a cluster, framed in the colour of p.

    A caption stands beside each cluster; the row of one without images stays empty.
    """
    wide, high = cell_of(images)
    columns = max(1, round(_COLUMNS / wide))
    figsize = (0.8 * wide * columns + 2.5, 0.8 * high * max(len(captions), 1) + 1)
    figure = Figure(figsize=figsize, layout="constrained", dpi=120)
    figure.suptitle(title)
    if not captions:
        figure.text(0.5, 0.4, "no clusters", ha="center")
        return figure
    rows = list(figure.subplots(len(captions), 1, squeeze=False)[:, 0])
    for cluster, (axes, caption) in enumerate(zip(rows, captions, strict=True)):
        shown = (labels == cluster).nonzero()[:columns, 0]
        axes.set_axis_off()
        if len(shown):
            grid = framed_grid(images[shown], p[shown], columns, threshold)
            axes.imshow(grid, interpolation="nearest")
        axes.text(
            -0.01, 0.5, caption, transform=axes.transAxes, ha="right", va="center", fontsize=9
        )
    add_probability_scale(figure, rows, names=names, threshold=threshold)
    return figure

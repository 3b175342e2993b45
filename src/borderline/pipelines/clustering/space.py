"""The space of reductions: where a search starts, and how a trial draws from it."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from borderline.pipelines.clustering.params import ClusteringParams, ReductionKind
from borderline.pipelines.clustering.reductions import Reduction


def initial_design(params: ClusteringParams) -> list[dict[str, Any]]:
    """The first trials: one of each reduction, then corners of UMAP's space."""
    umap, (few, many) = params.umap, params.umap.n_components
    near, far = umap.n_neighbors

    def umap_start(neighbours: int, dimensions: int) -> dict[str, float]:
        return {
            "umap_n_neighbors": neighbours,
            "umap_min_dist": umap.min_dist[0],
            "umap_n_components": dimensions,
        }

    starts: dict[ReductionKind, dict[str, float]] = {
        "umap": umap_start(int((near + far) / 2), few),
        "pca": {"pca_n_components": params.pca.n_components[0]},
        "none": {},
        "tsne": {"tsne_perplexity": params.tsne.perplexity[1]},
    }
    design: list[dict[str, Any]] = [
        {"reduction": kind, **start} for kind, start in starts.items() if kind in params.reductions
    ]
    if "umap" in params.reductions:
        corners = ((far, few), (near, few), (near, many))
        design += [{"reduction": "umap", **umap_start(*corner)} for corner in corners]
    return design


def enqueue_start(study: optuna.Study, design: list[dict[str, Any]]) -> None:
    """Make the next trial the first of the design that has not been tried, if there is one."""
    tried_states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    tried = [trial.params for trial in study.get_trials(deepcopy=False, states=tried_states)]
    left = [start for start in design if start not in tried]
    if left and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(left[0])


def suggest(trial: Trial, params: ClusteringParams) -> Reduction:
    """The reduction that a trial tries."""
    kind: ReductionKind = trial.suggest_categorical("reduction", params.reductions)  # type: ignore[assignment]
    settings: dict[str, float] = {}
    if kind == "umap":
        space = params.umap
        settings = {
            "n_neighbors": trial.suggest_int("umap_n_neighbors", *space.n_neighbors),
            "min_dist": trial.suggest_float("umap_min_dist", *space.min_dist),
            "n_components": trial.suggest_int("umap_n_components", *space.n_components),
        }
    elif kind == "tsne":
        settings = {"perplexity": trial.suggest_int("tsne_perplexity", *params.tsne.perplexity)}
    elif kind == "pca":
        bounds = params.pca.n_components
        settings = {"n_components": trial.suggest_int("pca_n_components", *bounds)}
    return Reduction(kind, settings)

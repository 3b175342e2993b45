"""All clusterings of a kind in one space: some spread over it, then those near the best."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import (
    SPREAD,
    Clustering,
    FittedClustering,
    Trees,
)
from borderline.pipelines.clustering.params import ClusteringKind, ClusteringParams
from borderline.pipelines.clustering.scores import SpaceScorer, degenerate
from borderline.threads import side_by_side


class Best(NamedTuple):
    """The best clusters of a kind in one space; if none are usable, the most frequent ``reason``.

    The objective is then minus infinity. ``cut_short``: only spread clusterings were tried.
    """

    clusters: FittedClustering | None
    clustering: Clustering | None
    objective: float
    reason: str
    cut_short: bool


def clusterings_of(
    kind: ClusteringKind, params: ClusteringParams
) -> tuple[list[Clustering], list[Clustering]]:
    """The clusterings of a kind that the search tries: some spread over the space, and the rest."""
    space = getattr(params, kind)
    # A default is not named, so that recipes of earlier runs keep their names.
    values: dict[str, Iterable[Any]] = {}
    if kind == "hdbscan":
        values["min_cluster_size"] = _within(space.min_cluster_size)
        values["min_samples"] = [space.min_samples]
        values["cluster_selection_epsilon"] = space.cluster_selection_epsilon
        if space.selection != ("leaf",):
            values["cluster_selection_method"] = space.selection
    elif kind == "dbscan":
        values = {"min_samples": _within(space.min_samples), "eps": space.eps}
    elif kind == "gmm":
        values["n_components"] = _within(space.n_components)
        if space.covariance != ("full",):
            values["covariance_type"] = space.covariance
    else:
        values["n_clusters"] = _within(space.n_clusters)
    # The first setting changes fastest.
    settings = (each[::-1] for each in itertools.product(*reversed(values.values())))
    clusterings = [Clustering(kind, dict(zip(values, each, strict=True))) for each in settings]
    rest = [clustering for number, clustering in enumerate(clusterings) if number % SPREAD]
    return clusterings[::SPREAD], rest


def _within(bounds: tuple[int, int]) -> range:
    return range(bounds[0], bounds[1] + 1)


def cluster_all(
    kind: ClusteringKind,
    space: SpaceScorer,
    params: ClusteringParams,
    run: RunParams,
    hopeless: Callable[[float], bool] | None = None,
) -> Best:
    """Try the clusterings of a kind in one space.

    ``hopeless`` tells from the best objective of the spread clusterings whether to skip the rest.
    """
    best: tuple[FittedClustering | None, Clustering | None, float] = (None, None, -math.inf)
    reasons: list[str] = []

    trees, seed = Trees(), run.seed_for("clustering", 0)

    def fit(clustering: Clustering) -> tuple[FittedClustering | None, float]:
        clusters = clustering.fit(space.points, seed, trees)
        return clusters, math.nan if clusters is None else space.objective(clusters)

    def attempt(clusterings: list[Clustering]) -> None:
        nonlocal best
        fits = side_by_side(fit, clusterings, space.scorer.threads)
        for clustering, (clusters, value) in zip(clusterings, fits, strict=True):
            if not math.isnan(value) and value > best[2]:
                best = clusters, clustering, value
            elif math.isnan(value):
                reason = "no fit" if clusters is None else degenerate(clusters.labels, params)
                reasons.append(reason or "the objective is undefined")

    spread, rest = clusterings_of(kind, params)
    attempt(spread)
    cut_short = hopeless is not None and hopeless(best[2])
    if not cut_short:
        near = None if "reproducibility" in params.weights else best[1]
        attempt([other for other in rest if near is None or other.is_near(near)])
    reason = "" if best[0] else Counter(reasons).most_common(1)[0][0]
    return Best(*best, reason, cut_short)

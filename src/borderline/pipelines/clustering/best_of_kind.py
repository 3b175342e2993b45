"""All clusterings of a kind in one space: some spread over it, then those near the best."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from joblib import Memory

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import SPREAD, Clustering, FittedClustering
from borderline.pipelines.clustering.params import ClusteringKind, ClusteringParams
from borderline.pipelines.clustering.scores import SpaceScorer, degenerate


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
    settings: list[dict[str, float]]
    if kind == "hdbscan":
        (least, most), samples = params.hdbscan.min_cluster_size, params.hdbscan.min_samples
        settings = [
            {"min_cluster_size": n, "min_samples": samples, "cluster_selection_epsilon": epsilon}
            for epsilon in params.hdbscan.cluster_selection_epsilon
            for n in range(least, most + 1)
        ]
    else:
        ((name, (least, most)),) = getattr(params, kind)
        settings = [{name: n} for n in range(least, most + 1)]
    clusterings = [Clustering(kind, each) for each in settings]
    rest = [clustering for number, clustering in enumerate(clusterings) if number % SPREAD]
    return clusterings[::SPREAD], rest


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

    def attempt(clusterings: list[Clustering]) -> None:
        nonlocal best
        for clustering in clusterings:
            clusters = clustering.fit(space.points, run.seed_for("clustering", 0), memory)
            value = math.nan if clusters is None else space.objective(clusters)
            if not math.isnan(value) and value > best[2]:
                best = clusters, clustering, value
            elif math.isnan(value):
                reason = "no fit" if clusters is None else degenerate(clusters.labels, params)
                reasons.append(reason or "the objective is undefined")

    spread, rest = clusterings_of(kind, params)
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(folder, verbose=0)
        attempt(spread)
        cut_short = hopeless is not None and hopeless(best[2])
        if not cut_short:
            near = None if "reproducibility" in params.weights else best[1]
            attempt([other for other in rest if near is None or other.is_near(near)])
    reason = "" if best[0] else Counter(reasons).most_common(1)[0][0]
    return Best(*best, reason, cut_short)

"""The number of clusters or exemplars that other images would have been given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from borderline.measures.facility_location import facility_location, joint
from borderline.params import RunParams
from borderline.pipelines.clustering.best_of_kind import cluster_all
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.pool import audience_of, groups_of, joined
from borderline.pipelines.clustering.reductions import Reduction, neighbours_of
from borderline.pipelines.clustering.scores import Scorer
from borderline.records import Pool


class Number(NamedTuple):
    """A number of clusters, or of exemplars where the mode is ``continuum``."""

    mode: str
    number: int


def choose_number(
    reduction: Reduction,
    clustering: Clustering,
    embeddings: np.ndarray,
    features: np.ndarray,
    pool: Pool,
    gans: Mapping[str, int],
    params: ClusteringParams,
    run: RunParams,
) -> Number:
    """Choose the number anew, in the same reduction and by the same objective.

    Args:
        reduction: The reduction of the recipe.
        clustering: The clustering of the recipe, of which only the kind counts.
        embeddings: Embeddings of other images, (M, D).
        features: Their features of the judge, (M, F).
        pool: The images of all generators with them, as in the run that is compared.
        gans: The number of the GAN of each generator.
        params: The settings of the search.
        run: Gives the seeds.
    """
    seed = run.seed_for("reduction", 0)
    together = params.together and bool(pool)
    vectors = joined(pool, "embeddings") if together else embeddings
    groups = groups_of(pool, gans) if together else {}
    with threadpool_limits(1):
        neighbours = neighbours_of(vectors, params)
        points = reduction.reduce(vectors, neighbours, seed, params.search_epochs)
        scorer = Scorer(vectors, params, run.seed_for("scored images"), groups)
        best = cluster_all(clustering.kind, scorer.in_space(points), params, run)
    if params.objective == "reproducibility" and not best.objective > 1:
        candidates, limits = joint(embeddings, features), params.exemplars
        similarities = candidates @ audience_of(candidates, pool, params).T
        rows, _ = facility_location(similarities, limits.most, limits.least_gain)
        return Number("continuum", len(rows))
    return Number("clusters", 0 if best.clusters is None else len(best.clusters.order))

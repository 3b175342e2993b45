"""The number of clusters or exemplars that other images would have been given."""

from __future__ import annotations

from typing import NamedTuple

from threadpoolctl import threadpool_limits

from borderline.measures.facility_location import facility_location, joint
from borderline.params import RunParams
from borderline.pipelines.clustering.best_of_kind import cluster_all
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.pool import audience_of, groups_of, joined
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import neighbours_of
from borderline.pipelines.clustering.scores import Scorer
from borderline.pipelines.clustering.structure import compare_with_clouds
from borderline.records import Side


class Number(NamedTuple):
    """A number of clusters, or of exemplars where the mode is ``continuum``."""

    mode: str
    number: int


def choose_number(
    recipe: Recipe, side: Side, params: ClusteringParams, run: RunParams, *, tested: bool
) -> Number:
    """Choose the number anew, in the same reduction and by the same objective, without artefacts.

    Args:
        recipe: The recipe; its number of clusters does not count.
        side: The other images.
        params: The settings of the search.
        run: Gives the seeds.
        tested: Whether clusters must also pass the test for clusters.
    """
    seed = run.seed_for("reduction", 0)
    together = params.together and bool(side.pool)
    vectors = joined(side.pool, "embeddings") if together else side.embeddings
    groups = groups_of(side.pool, side.gans) if together else {}
    with threadpool_limits(1):
        neighbours = neighbours_of(vectors, params)
        points = recipe.reduction.reduce(vectors, neighbours, seed, params.search_epochs)
        space = Scorer(vectors, params, run.seed_for("scored images"), groups).in_space(points)
        best = cluster_all(recipe.clustering.kind, space, params, run)
    if params.objective != "reproducibility":
        return Number("clusters", 0 if best.clusters is None else len(best.clusters.order))
    patterns = 0 if best.clusters is None else space.reproduced(best.clusters).patterns
    if patterns > 1 and tested:
        structure = compare_with_clouds(vectors, [recipe], params, run)
        patterns = patterns if structure.p_value <= params.structure.level else 0
    if patterns > 1:
        return Number("clusters", patterns)
    candidates = joint(side.embeddings, side.features)
    similarities = candidates @ audience_of(candidates, side.pool, params).T
    rows, _ = facility_location(similarities, params.most_exemplars, params.exemplars.least_gain)
    return Number("continuum", len(rows))

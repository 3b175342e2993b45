"""Are there clusters at all, or was one cloud cut into pieces?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from borderline.params import RunParams
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.scores import Scorer
from borderline.pipelines.clustering.search import cluster_all, neighbours_of

# Once so many clouds are as good as the images, more would not change what is said.
_ENOUGH = 4


class Structure(NamedTuple):
    """What the comparison with clouds gave.

    Attributes:
        value: The best objective that the recipes reach on the images; NaN for none.
        clouds: The same on each cloud.
        p_value: Share of clouds, the images among them, that reach as much (Besag and Clifford
            1991 where the comparison ended early).
    """

    value: float
    clouds: tuple[float, ...]
    p_value: float


def compare_with_clouds(
    embeddings: np.ndarray, recipes: Sequence[Recipe], params: ClusteringParams, run: RunParams
) -> Structure:
    """Cluster clouds of one Gaussian with the images' mean and covariance in the same ways.

    The null hypothesis of SigClust (Liu et al. 2008). The images and each cloud are clustered in
    the same ways: the reductions of the best recipes, on each the sweep of their clusterings. What
    the search chose for the images, it did not choose for each cloud, so that the p-value may be a
    little too small.

    Args:
        embeddings: Shape (N, D); at most ``structure.images`` of them are used.
        recipes: The best ones; the reductions and kinds of clustering are taken from them.
        params: The spaces, the objective and the number of clouds.
        run: The seed.
    """
    random = np.random.default_rng(run.seed_for("clouds"))
    count = min(params.structure.images, len(embeddings))
    chosen = embeddings[np.sort(random.permutation(len(embeddings))[:count])].astype(np.float64)
    value = _best(chosen, recipes, params, run)
    if math.isnan(value):
        return Structure(value, (), 1.0)
    mean = embeddings.mean(0, dtype=np.float64)
    # The root of the covariance times N, so that no covariance of singular columns is needed.
    root = np.linalg.svd(embeddings - mean, full_matrices=False)
    scales = root.S[:, None] * root.Vh / math.sqrt(len(embeddings) - 1)
    clouds: list[float] = []
    beaten = 0
    while len(clouds) < params.structure.clouds and beaten < _ENOUGH:
        cloud = mean + random.standard_normal((count, len(scales))) @ scales
        clouds.append(_best(cloud, recipes, params, run))
        # A cloud without any clusters is not as good.
        beaten += clouds[-1] >= value
    ended = beaten == _ENOUGH and len(clouds) < params.structure.clouds
    p_value = beaten / len(clouds) if ended else (1 + beaten) / (1 + len(clouds))
    return Structure(value, tuple(clouds), p_value)


def _best(
    embeddings: np.ndarray, recipes: Sequence[Recipe], params: ClusteringParams, run: RunParams
) -> float:
    scorer = Scorer(embeddings, params, run.seed_for("scored images"))
    neighbours = neighbours_of(embeddings, params, run)
    ways = {str(r.reduction): (r.reduction, set[str]()) for r in recipes}
    for recipe in recipes:
        ways[str(recipe.reduction)][1].add(recipe.clustering.kind)
    values = []
    for reduction, kinds in ways.values():
        with threadpool_limits(1):
            seed = run.seed_for("reduction", 0)
            points = reduction.reduce(embeddings, neighbours, seed, params.search_epochs)
            space = scorer.in_space(points)
            values += [
                cluster_all(kind, space, params, run)[2]
                for kind in params.clusterings
                if kind in kinds
            ]
    best = max(values, default=-math.inf)
    return best if math.isfinite(best) else math.nan

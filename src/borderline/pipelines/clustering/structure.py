"""A test for clusters against the null hypothesis of one Gaussian cloud."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from borderline.params import RunParams
from borderline.pipelines.clustering.best_of_kind import cluster_all
from borderline.pipelines.clustering.params import ClusteringParams, StructureParams
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import neighbours_of
from borderline.pipelines.clustering.scores import Scorer
from borderline.threads import side_by_side

STRUCTURE_COLUMNS = ("objective", "clouds", "clouds_mean", "clouds_most", "p_value", "doubt")

# Clouds as good as the images after which the test stops: the p-value is then far above any level.
_ENOUGH = 4


class Structure(NamedTuple):
    """The best objective of the recipes on the images, NaN for none, and on each cloud.

    The p-value is the share of the clouds and the images with at least the objective of the images
    (Besag and Clifford 1991 where the test stopped early).
    """

    value: float
    clouds: tuple[float, ...]
    p_value: float

    def as_row(self, params: StructureParams) -> dict[str, Any]:
        """By ``STRUCTURE_COLUMNS``, with a ``doubt`` where the p-value is above the level."""
        known = np.array([value for value in self.clouds if math.isfinite(value)])
        mean, most = (known.mean(), known.max()) if len(known) else (None, None)
        reason = f"a sample of {params.images} images has no usable clusters"
        if self.clouds:
            count = f"p = {self.p_value:.2f}, {len(self.clouds)} clouds"
            reason = f"clouds without clusters look as clear ({count})"
        unclear = self.p_value > params.level
        doubt = f"there is no evidence of separate patterns: {reason}" if unclear else ""
        values = (self.value, len(self.clouds), mean, most, self.p_value, doubt)
        return dict(zip(STRUCTURE_COLUMNS, values, strict=True))


def compare_with_clouds(
    embeddings: np.ndarray, recipes: Sequence[Recipe], params: ClusteringParams, run: RunParams
) -> Structure:
    """Cluster the images and Gaussian clouds with their mean and covariance in the same ways.

    The null hypothesis is that of SigClust (Liu et al. 2008). At most ``structure.images`` of the
    embeddings (N, D), and as many points of each cloud, are clustered with the reductions of the
    best recipes and the full sweep of their clusterings. The search chose these reductions for the
    images, not for the clouds, so the p-value may be a little too small.
    """
    random = np.random.default_rng(run.seed_for("clouds"))
    count = min(params.structure.images, len(embeddings))
    chosen = embeddings[np.sort(random.permutation(len(embeddings))[:count])].astype(np.float64)
    value = _best(chosen, recipes, params, run)
    if math.isnan(value):
        return Structure(value, (), 1.0)
    mean = embeddings.mean(0, dtype=np.float64)
    # A root of the covariance that also exists where the covariance is singular.
    root = np.linalg.svd(embeddings - mean, full_matrices=False)
    scales = root.S[:, None] * root.Vh / math.sqrt(len(embeddings) - 1)
    normals = (random.standard_normal((count, len(scales))) for _ in range(params.structure.clouds))
    values = side_by_side(
        lambda normal: _best(mean + normal @ scales, recipes, params, run),
        *(normals, min((recipe.reduction.threads for recipe in recipes), default=1)),
    )
    clouds: list[float] = []
    as_good = 0
    with contextlib.closing(values):
        for best in values:
            clouds.append(best)
            # False for the NaN of a cloud without clusters.
            as_good += best >= value
            if as_good == _ENOUGH:
                break
    stopped_early = as_good == _ENOUGH and len(clouds) < params.structure.clouds
    p_value = as_good / len(clouds) if stopped_early else (1 + as_good) / (1 + len(clouds))
    return Structure(value, tuple(clouds), p_value)


def _best(
    embeddings: np.ndarray, recipes: Sequence[Recipe], params: ClusteringParams, run: RunParams
) -> float:
    # The clouds are side by side, and not their clusterings.
    scorer = Scorer(embeddings, params, run.seed_for("scored images"), threads=1)
    neighbours = neighbours_of(embeddings, params)
    reductions = {str(recipe.reduction): recipe.reduction for recipe in recipes}
    values = []
    for name, reduction in reductions.items():
        kinds = {r.clustering.kind for r in recipes if str(r.reduction) == name}
        with threadpool_limits(1):
            seed = run.seed_for("reduction", 0)
            points = reduction.reduce(embeddings, neighbours, seed, params.search_epochs)
            space = scorer.in_space(points)
            values += [cluster_all(kind, space, params, run).objective for kind in kinds]
    best = max(values, default=-math.inf)
    return best if math.isfinite(best) else math.nan

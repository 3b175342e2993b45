"""How far a set of images is from the real ones, in the features of a judge."""

from __future__ import annotations

import math

from torch import Tensor


def frechet_distance(features: Tensor, real_features: Tensor) -> float:
    """Fréchet distance of two sets of features (Heusel et al. 2017), computed in float64.

    Only with Inception features may the result be called FID; with others it carries their name.

    Args:
        features: Features of the images to judge, shape (N, D).
        real_features: Features of the real images, shape (M, D).

    Returns:
        The distance, at least 0 but for rounding; NaN when either set has no more images than
        dimensions, for then its covariance is singular and the figure would mislead.
    """
    # Takes seconds, which a command that computes nothing should not cost.
    from torch_fidelity.metric_fid import (
        KEY_METRIC_FID,
        fid_features_to_statistics,
        fid_statistics_to_metric,
    )

    if min(len(features), len(real_features)) <= features.shape[1]:
        return math.nan
    statistics = [fid_features_to_statistics(f.double()) for f in (features, real_features)]
    return float(fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID])

"""One row a generator, and the rule that picks one."""

from __future__ import annotations

import pandas as pd
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.measures.confusion import (
    average_confusion_distance,
    borderline_yield,
    is_borderline,
)
from borderline.measures.realism import frechet_distance

RULES = {
    "max_yield": "highest yield",
    "min_fd_lenet": "lowest fd_lenet of all images",
}


def score_generator(
    p: Tensor, features: Tensor, real_features: Tensor, band: float
) -> dict[str, float]:
    """Scores of a generator's images.

    Args:
        p: The model's probabilities of the images, shape (N,).
        features: The judge's features of the images, shape (N, D).
        real_features: The judge's features of all real images of the pair, shape (M, D).
        band: Half the width of the borderline band, in (0, 0.5].

    Returns:
        ``images`` N, ``borderline`` n, ``yield`` n / N in [0, 1], ``acd`` in [0, 0.5], ``fd_lenet``
        of all N images and ``fd_lenet_borderline`` of the n borderline ones, NaN where there are
        not more images than features. Distances of unequal N do not compare.
    """
    borderline = is_borderline(p, band)
    return {
        "images": len(p),
        "borderline": int(borderline.sum()),
        "yield": borderline_yield(p, band),
        "acd": average_confusion_distance(p),
        "fd_lenet": frechet_distance(features, real_features),
        "fd_lenet_borderline": frechet_distance(features[borderline], real_features),
    }


def choose(leaderboard: pd.DataFrame, rule: str) -> tuple[str, str]:
    """The generator that a rule picks.

    Args:
        leaderboard: The scores, with a column ``generator``; at least one row.
        rule: A key of ``RULES``, or the name of a generator.

    Returns:
        The generator's name, and the rule in words.

    Raises:
        BorderlineError: When the rule is neither.
    """
    if rule in set(leaderboard["generator"]):
        return rule, "named in metrics.choose"
    if rule not in RULES:
        raise BorderlineError(
            f"metrics.choose is {rule!r}: choose one of {', '.join(RULES)}, or a generator of "
            f"grid.generators ({', '.join(leaderboard['generator'])})."
        )
    by, ascending = (
        (["yield", "fd_lenet"], [False, True])
        if rule == "max_yield"
        else (["fd_lenet", "yield"], [True, False])
    )
    best = leaderboard.sort_values(by, ascending=ascending, kind="stable").iloc[0]
    return str(best["generator"]), RULES[rule]

"""Whether a model of two classes is more accurate than guessing."""

from __future__ import annotations

import torch
from torch import Tensor

LEVEL = 0.01
"""The level of the test against guessing."""
FEWEST = 20
"""The fewest images that the test needs: with fewer, more than half must be correct."""


def balanced_rows(labels: Tensor, most: int) -> Tensor:
    """Rows of as many images with label 0 as with label 1, spread evenly over each class.

    Among classes of different sizes a model that always answers with the larger class would seem
    accurate.

    Args:
        labels: 0 or 1, shape (N,).
        most: The highest number of rows.

    Returns:
        Row numbers, those of label 0 first; none if a class is empty.
    """
    rows = [(labels == label).nonzero()[:, 0] for label in (0, 1)]
    each = min(most // 2, *map(len, rows))
    return torch.cat([of_class[torch.arange(each) * len(of_class) // each] for of_class in rows])


def threshold_to_test(threshold: float | None, p: Tensor) -> float:
    """The threshold at which a model is tested against guessing.

    A threshold that is not known yet (None) is the median of p (N,) on as many images of each
    class: a model that ranks the images well is accurate there, wherever its probabilities lie.
    """
    return float(torch.median(p)) if threshold is None else threshold


def words_of_threshold(threshold: float | None) -> tuple[str, str]:
    """The threshold of a test against guessing, and the advice to change it, in a sentence.

    Both are empty where the threshold cannot be the reason of a failure.

    Example:
        >>> words_of_threshold(0.001)
        (' with a threshold of 0.001', ', choose another confusion.threshold')
    """
    if threshold is None or threshold == 0.5:
        return "", ""
    return f" with a threshold of {threshold:g}", ", choose another confusion.threshold"


def better_than_guessing(right: int, images: int) -> bool:
    """Whether ``right`` of ``images`` correct answers are more than guessing gives (binomial test).

    Half of the images must be of each class.

    Example:
        >>> better_than_guessing(65, 128), better_than_guessing(78, 128)
        (False, True)
    """
    from scipy.stats import binomtest

    if images < FEWEST:
        return 2 * right > images
    return bool(binomtest(right, images, alternative="greater").pvalue < LEVEL)

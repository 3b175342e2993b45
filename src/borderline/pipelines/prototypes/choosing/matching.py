"""Prototypes matched with those of repeats: the pairs, and the stability that they give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from borderline.measures.intervals import Estimate, estimate_of_repeats
from borderline.pipelines.prototypes.choosing.candidates import Candidates, directions
from borderline.pipelines.prototypes.choosing.measures import RANGES
from borderline.pipelines.prototypes.choosing.selection import Way

_COLUMNS = ("prototype", "repeat", "row", "similarity")


def match(
    embeddings: np.ndarray, repeats: Sequence[tuple[int, Candidates]], way: Way
) -> pd.DataFrame:
    """Match the shown prototypes, by their embeddings (K, D), with those of the numbered repeats.

    Returns:
        One row a matched prototype and repeat: the ``row`` of its partner among the images of the
        repeat, and their cosine ``similarity`` in the model's embedding.
    """
    rows: list[tuple[int, int, int, float]] = []
    for number, candidates in repeats:
        chosen = way(candidates)
        similarities, partners = matched_similarities(embeddings, candidates.embeddings[chosen])
        rows += [
            (prototype, number, int(chosen[partner]), float(similarities[prototype]))
            for prototype, partner in enumerate(partners)
            if partner >= 0
        ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def matched_similarities(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match embeddings (K, D) with others (L, D), so that the sum of the similarities is largest.

    Returns:
        The cosine similarity of each of the first with its partner, shape (K,), NaN without a
        partner (L < K); and the partner's number, shape (K,), -1 without one.
    """
    pairs = directions(first) @ directions(second).T
    similarities, partners = np.full(len(first), np.nan), np.full(len(first), -1)
    rows, columns = linear_sum_assignment(pairs, maximize=True)
    similarities[rows], partners[rows] = pairs[rows, columns], columns
    return similarities, partners


def stability(embeddings: np.ndarray, repeats: Sequence[np.ndarray]) -> Estimate:
    """The mean similarity of prototypes (K, D) with their partners (L, D), over the repeats.

    Where a repeat has fewer, those left over count with the most similar one there.
    """
    similarities = [float(mean_match(embeddings, repeat)) for repeat in repeats]
    return estimate_of_repeats(similarities).within(*RANGES["stability"])


def stability_of_draws(embeddings: np.ndarray, repeats: Sequence[np.ndarray]) -> np.ndarray:
    """The value of ``stability`` for draws (B, K, D), each with its own partners (B, L, D)."""
    if not repeats:
        return np.full(len(embeddings), np.nan)
    return np.asarray(np.mean([mean_match(embeddings, repeat) for repeat in repeats], axis=0))


def mean_match(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The mean similarity of embeddings (..., K, D) with their partners among others (..., L, D).

    Where there are fewer others, those left over count with the most similar one. Shape (...);
    NaN where there are none.
    """
    pairs = directions(first) @ directions(second).swapaxes(-1, -2)
    if 0 in pairs.shape[-2:]:
        return np.full(pairs.shape[:-2], np.nan)
    similarities = pairs.max(-1)
    for draw in np.ndindex(pairs.shape[:-2]):
        rows, columns = linear_sum_assignment(pairs[draw], maximize=True)
        similarities[draw][rows] = pairs[draw][rows, columns]
    return np.asarray(similarities.mean(-1))

"""What the patterns are good for: do real errors lie near them, and does abstaining there help?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from scipy.stats import fisher_exact

from borderline.measures.intervals import Estimate, estimate

ERROR_COLUMNS = (
    *("cluster", "images", "errors", "share_of_errors", "error_rate", "lift", "p_value"),
)
REJECTION_COLUMNS = (
    *("abstains_by", "images", "errors", "aurc", "low", "high", "gain", "gain_low", "gain_high"),
    *("risk_at_90", "risk_at_80", "errors_in_first_10", "says"),
)
# Enough for the ends of an interval; they cost little.
_RESAMPLES = 1000
CONFIDENCE, CHANCE, BEST = "confidence", "chance", "hindsight"
NAMES = {
    CONFIDENCE: "by confidence",
    "prototypes": "near prototypes",
    "borderline_images": "near borderline images",
    "confidence_and_prototypes": "by confidence and near prototypes",
    CHANCE: "by chance",
    BEST: "with hindsight",
}
"""What the ways to abstain are called."""


def errors_near(
    labels: np.ndarray, near: np.ndarray, wrong: np.ndarray, clusters: int
) -> pd.DataFrame:
    """How many of the model's errors lie near each cluster.

    Args:
        labels: The cluster that each test image falls into, shape (N,); -1 for none.
        near: Whether it is near that cluster at all, shape (N,).
        wrong: Whether the model gets it wrong, shape (N,).
        clusters: How many clusters there are.

    Returns:
        A row a cluster, one for ``any`` of them and one for ``none`` (without clusters, ``any``
        alone, empty): test ``images`` there,
        ``errors`` among them, their ``share_of_errors``, the ``error_rate`` there, the ``lift``
        over that of all images, and the p-value that errors are no more frequent there than
        elsewhere (Fisher's exact test, one-sided).
    """
    if clusters == 0:
        return pd.DataFrame([dict.fromkeys(ERROR_COLUMNS) | {"cluster": "any"}]).astype(
            {"share_of_errors": float}
        )
    inside = near & (labels >= 0)
    places = {str(cluster): inside & (labels == cluster) for cluster in range(clusters)}
    places |= {"any": inside, "none": ~inside}
    rows = []
    for name, here in places.items():
        images, errors = int(here.sum()), int((here & wrong).sum())
        elsewhere, others = int((~here).sum()), int((~here & wrong).sum())
        rate = errors / images if images else math.nan
        table = [[errors, images - errors], [others, elsewhere - others]]
        rows.append(
            {
                "cluster": name,
                "images": images,
                "errors": errors,
                "share_of_errors": errors / wrong.sum() if wrong.any() else math.nan,
                "error_rate": rate,
                "lift": rate / wrong.mean() if wrong.any() else math.nan,
                "p_value": float(fisher_exact(table, alternative="greater").pvalue),
            }
        )
    return pd.DataFrame(rows, columns=list(ERROR_COLUMNS))


def risks(scores: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The risk-coverage curve (El-Yaniv and Wiener 2010).

    Args:
        scores: How readily the model answers, shape (N,); it abstains where they are smallest.
        wrong: Whether it is wrong, shape (N,).

    Returns:
        The error rate among the k images with the largest scores, k = 1 to N, shape (N,). Where
        scores are equal, errors count as evenly spread among them.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, errors = scores[order], wrong[order].astype(np.float64)
    groups = np.cumsum(np.r_[False, ranked[1:] != ranked[:-1]])
    even = np.bincount(groups, errors) / np.bincount(groups)
    return np.asarray(np.cumsum(even[groups]) / np.arange(1, len(errors) + 1))


def with_bounds(scores: Mapping[str, np.ndarray], wrong: np.ndarray) -> dict[str, np.ndarray]:
    """Scores, and with them those of ``chance`` and of ``hindsight``, shape (N,) each."""
    return {**scores, CHANCE: np.zeros(len(wrong)), BEST: 1.0 - wrong}


def compare_rejection(
    scores: Mapping[str, np.ndarray], wrong: np.ndarray, seed: int
) -> pd.DataFrame:
    """Compare ways to abstain.

    Args:
        scores: Of each way, shape (N,); ``confidence`` is that which the gain is over.
        wrong: Whether the model is wrong, shape (N,).
        seed: Seed of the bootstrap resamples of the test images.

    Returns:
        A row a way, one for ``chance`` and one for ``hindsight``, which abstains on errors first:
        ``aurc``, the area under the risk-coverage curve (lower is better), ``gain``, by how much
        that is below the one by confidence, both with 95 % intervals; the risk at a coverage of
        90 % and 80 %; the share of the errors among the first 10 % that are abstained on; and a
        sentence.
    """
    n = len(wrong)
    every = with_bounds(scores, wrong)
    random = np.random.default_rng(seed)
    drawn = [random.integers(n, size=n) for _ in range(_RESAMPLES)]
    replicates = {
        name: np.array([risks(own[rows], wrong[rows]).mean() for rows in drawn])
        for name, own in every.items()
    }
    curves = {name: risks(own, wrong) for name, own in every.items()}
    areas = {name: float(curve.mean()) for name, curve in curves.items()}
    rows = []
    for name, curve in curves.items():
        area = estimate(areas[name], torch.from_numpy(replicates[name])).within(0, 1)
        gain = estimate(
            areas[CONFIDENCE] - areas[name],
            torch.from_numpy(replicates[CONFIDENCE] - replicates[name]),
        )
        kept = [round(n * share) for share in (0.9, 0.8)]
        at = [float(curve[k - 1]) for k in kept]
        errors = wrong.sum()
        caught = 1 - at[0] * kept[0] / errors if errors else math.nan
        values = (
            *(name, n, int(errors), *area, *gain, *at, caught),
            _say(name, gain, caught, n - kept[0], n),
        )
        rows.append(dict(zip(REJECTION_COLUMNS, values, strict=True)))
    return pd.DataFrame(rows, columns=list(REJECTION_COLUMNS))


def _say(name: str, gain: Estimate, caught: float, left: int, images: int) -> str:
    """One sentence on a way to abstain."""
    if math.isnan(caught):
        return "The model makes no errors here, so there is nothing to abstain on."
    sentence = (
        f"Abstaining {NAMES[name]} on {left} of {images} images avoids {caught:.0%} of the errors"
    )
    if name == CONFIDENCE:
        return f"{sentence}."
    if gain.low > 0 or gain.high < 0:
        verdict = f"is {'better' if gain.low > 0 else 'worse'} than abstaining by confidence"
    else:
        verdict = "cannot be told from abstaining by confidence"
    return f"{sentence}; over all shares it {verdict}."

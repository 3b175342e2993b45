"""Abstaining near the patterns, compared with abstaining at low confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from borderline.boundary import Boundary
from borderline.findings import written
from borderline.measures.confusion import confusion_distance
from borderline.measures.intervals import Estimate, draws_by_group, estimate
from borderline.measures.plots import CHANCE_COLOUR, cluster_colour
from borderline.pipelines.prototypes.choosing.candidates import cosine_distances, directions

_COLUMNS = (
    *("abstains_by", "images", "errors", "aurc", "low", "high", "gain", "gain_low", "gain_high"),
    *("risk_at_90", "risk_at_80", "errors_in_first_10", "says"),
)
# Enough for the ends of an interval.
_RESAMPLES = 1000

CONFIDENCE, CHANCE, BEST = "confidence", "chance", "hindsight"
# In sentences and in the figure.
_NAMES = {
    CONFIDENCE: "by confidence",
    "prototypes": "near prototypes",
    "borderline_images": "near borderline images",
    "confidence_and_prototypes": "by confidence and near prototypes",
    CHANCE: "at random",
    BEST: "with hindsight",
}


def scores_of(
    p: Tensor,
    boundary: Boundary,
    test: np.ndarray,
    prototypes: np.ndarray,
    borderline: np.ndarray,
) -> dict[str, np.ndarray]:
    """How readily the model answers each test image, shape (N,), by the way to abstain.

    Args:
        p: p of the test images, shape (N,).
        boundary: The decision boundary; the confidence is the distance from it.
        test: Their embeddings, shape (N, D).
        prototypes: Embeddings of the prototypes, shape (K, D); without them, only the confidence.
        borderline: Embeddings of borderline images, shape (n, D).
    """
    scores = {CONFIDENCE: confusion_distance(p, boundary).double().numpy()}
    if len(prototypes):
        vectors = directions(test)
        for name, others in (("prototypes", prototypes), ("borderline_images", borderline)):
            scores[name] = cosine_distances(vectors, directions(others)).min(1)
        ranks = [pd.Series(scores[name]).rank().to_numpy() for name in (CONFIDENCE, "prototypes")]
        scores["confidence_and_prototypes"] = ranks[0] + ranks[1]
    return scores


def risks(scores: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The risk-coverage curve (El-Yaniv and Wiener 2010).

    Args:
        scores: How readily the model answers, shape (N,); it abstains where they are smallest.
        wrong: Whether its answer is wrong, shape (N,).

    Returns:
        The error rate among the k images with the largest scores, k = 1 to N; errors among equal
        scores count as evenly spread.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, errors = scores[order], wrong[order].astype(np.float64)
    groups = np.cumsum(np.r_[False, ranked[1:] != ranked[:-1]])
    even = np.bincount(groups, errors) / np.bincount(groups)
    return np.asarray(np.cumsum(even[groups]) / np.arange(1, len(errors) + 1))


def compare_rejection(
    scores: Mapping[str, np.ndarray], wrong: np.ndarray, seed: int, groups: Tensor | None = None
) -> pd.DataFrame:
    """Compare ways to abstain on resamples of the test images, or of their groups.

    Args:
        scores: By the way, shape (N,) each; ``confidence`` among them.
        wrong: Whether the model's answer is wrong, shape (N,).
        seed: Seed of the resamples.
        groups: The group of each test image, shape (N,); None for none. Images of a single group
            have no intervals.

    Returns:
        One row a way, one for ``chance`` and one for ``hindsight``, which abstains on errors first:
        ``aurc`` is the area under the risk-coverage curve (lower is better), ``gain`` the area of
        ``confidence`` minus this area, both with 95 % intervals.
    """
    n = len(wrong)
    bounded = _with_bounds(scores, wrong)
    drawn = draws_by_group(groups, n, _RESAMPLES, seed)
    replicates = {
        name: np.array([risks(values[rows], wrong[rows]).mean() for rows in drawn] or [math.nan])
        for name, values in bounded.items()
    }
    curves = {name: risks(values, wrong) for name, values in bounded.items()}
    areas = {name: float(curve.mean()) for name, curve in curves.items()}
    kept, errors, rows = [round(n * share) for share in (0.9, 0.8)], wrong.sum(), []
    for name, curve in curves.items():
        area = estimate(areas[name], torch.from_numpy(replicates[name])).within(0, 1)
        gained = torch.from_numpy(replicates[CONFIDENCE] - replicates[name])
        gain = estimate(areas[CONFIDENCE] - areas[name], gained)
        at = [float(curve[k - 1]) for k in kept]
        caught = 1 - at[0] * kept[0] / errors if errors else math.nan
        sentence = _say(name, gain, caught, n - kept[0], n)
        rows.append((name, n, int(errors), *area, *gain, *at, caught, sentence))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def draw_rejection(
    scores: Mapping[str, np.ndarray], table: pd.DataFrame, wrong: np.ndarray
) -> Figure:
    """Draw the risk-coverage curve of each way; arguments and table as in ``compare_rejection``."""
    figure = Figure(figsize=(7, 5), layout="constrained", dpi=120)
    axes = figure.subplots()
    areas, bounds = table.set_index("abstains_by")["aurc"], {CHANCE: ":", BEST: "--"}
    coverage = np.arange(1, len(wrong) + 1) / len(wrong)
    for number, (name, values) in enumerate(_with_bounds(scores, wrong).items()):
        axes.plot(
            coverage,
            risks(values, wrong),
            bounds.get(name, "-"),
            color=CHANCE_COLOUR if name in bounds else cluster_colour(number),
            label=f"{_NAMES[name]} (area {areas[name]:.4f})",
        )
    axes.set(
        xlabel="coverage: share of the real test images that the model answers",
        ylabel="risk: error rate on the answered images",
        xlim=(0, 1),
    )
    total = f"{int(wrong.sum())} errors on {len(wrong)} real test images"
    axes.set_title(f"Risk-coverage curves of abstaining: {total}", fontsize=10)
    axes.legend(fontsize=8)
    return figure


def _with_bounds(scores: Mapping[str, np.ndarray], wrong: np.ndarray) -> dict[str, np.ndarray]:
    """The scores, with those of ``chance`` and of ``hindsight`` added, shape (N,) each."""
    return {**scores, CHANCE: np.zeros(len(wrong)), BEST: 1.0 - wrong}


def _say(name: str, gain: Estimate, caught: float, left: int, images: int) -> str:
    """One sentence on a way to abstain."""
    if math.isnan(caught):
        return "The model makes no errors on these images, so abstaining cannot help."
    avoided = written("{:.0%}", caught)
    sentence = (
        f"Abstaining {_NAMES[name]} on {left} of {images} images avoids {avoided} of the errors"
    )
    if name == CONFIDENCE:
        return f"{sentence}."
    if gain.low > 0 or gain.high < 0:
        verdict = f"is {'better' if gain.low > 0 else 'worse'} than abstaining by confidence"
    else:
        verdict = "does not differ significantly from abstaining by confidence"
    return f"{sentence}; over all coverages it {verdict}."

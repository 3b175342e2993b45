"""Agreement between people, and between people and the committee of judges.

Answers are counted by image: integers of shape (N, 4), a column for each of ``ANSWERS``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from borderline.measures.intervals import Estimate, estimate
from borderline.params import RunParams
from borderline.pipelines.rating.answers import ANSWERS
from borderline.pipelines.rating.items import KINDS, RIGHT
from borderline.pipelines.rating.params import RatingParams
from borderline.records import RatingItems

COLUMNS = ["measure", "between", "kind", "images", "value", "low", "high"]


def table_of_agreement(
    counts: np.ndarray,
    items: RatingItems,
    committee: np.ndarray | None,
    rating: RatingParams,
    run: RunParams,
) -> pd.DataFrame:
    """Alpha on all images and on each kind, and kappa on the borderline images, with intervals.

    Args:
        counts: Answers by item, (N, 4).
        items: The items.
        committee: The committee's answer to each borderline image, (n,); None for no committee and
            no kappa.
    """
    kinds = items["kind"].numpy()
    borderline = kinds == KINDS.index("borderline")
    groups = {
        "all": kinds >= 0,
        "borderline": borderline,
        "real": np.isin(kinds, [KINDS.index(kind) for kind in RIGHT]),
        "blend": kinds == KINDS.index("blend"),
    }
    rows = []
    for kind, here in groups.items():
        seed = run.seed_for("rating", "alpha", kind)
        value = alpha_with_interval(counts[here], rating.resamples, seed)
        images = int((counts[here].sum(1) >= 2).sum())
        rows.append(("alpha", "people", kind, images, *value))
    if committee is not None:
        here = borderline & (counts.sum(1) > 0)
        opinions = committee[items["row"].numpy()[here]]
        seed = run.seed_for("rating", "kappa")
        value = kappa_with_interval(majority(counts[here]), opinions, rating.resamples, seed)
        rows.append(("kappa", "people and committee", "borderline", int(here.sum()), *value))
    return pd.DataFrame(rows, columns=COLUMNS)


def alpha(counts: np.ndarray) -> float:
    """Krippendorff's alpha for nominal answers (Krippendorff 2018), at most 1; 0 is chance.

    Images with fewer than two answers do not count. NaN where no image has two answers, or where
    all answers are the same: there is then no chance disagreement to compare with.
    """
    import krippendorff

    paired = counts[counts.sum(1) >= 2]
    if len(paired) == 0 or (paired.sum(0) > 0).sum() < 2:
        return np.nan
    return float(krippendorff.alpha(value_counts=paired, level_of_measurement="nominal"))


def alpha_with_interval(counts: np.ndarray, resamples: int, seed: int) -> Estimate:
    """Alpha with the 95 % interval of the bootstrap over images (Zapf et al. 2016)."""
    return _with_interval(lambda rows: alpha(counts[rows]), len(counts), resamples, seed)


def kappa(people: np.ndarray, committee: np.ndarray) -> float:
    """Cohen's kappa (1960) of two lists of answers (N,), at most 1; 0 is chance.

    NaN where there are no images, or where both give one and the same answer to all.
    """
    from sklearn.metrics import cohen_kappa_score

    if len(people) == 0 or len({*people.tolist(), *committee.tolist()}) < 2:
        return np.nan
    return float(cohen_kappa_score(people, committee))


def kappa_with_interval(
    people: np.ndarray, committee: np.ndarray, resamples: int, seed: int
) -> Estimate:
    """Kappa with the 95 % interval of the bootstrap over images."""
    return _with_interval(
        lambda rows: kappa(people[rows], committee[rows]), len(people), resamples, seed
    )


def majority(counts: np.ndarray) -> np.ndarray:
    """The most frequent answer to each image, as places in ``ANSWERS``, int64 (N,).

    People who are split cannot tell: of two equally frequent answers it is ``cannot_tell``.
    """
    most = counts.max(1, keepdims=True)
    tied = (counts == most).sum(1) > 1
    return np.where(tied, ANSWERS.index("cannot_tell"), counts.argmax(1))


def committee_answers(verdicts: pd.DataFrame, *, beside: float, split: float) -> np.ndarray | None:
    """The answer of the committee to each image, as places in ``ANSWERS``, int64 (n,).

    ``neither`` if the probability of all other classes is above ``beside``, else ``cannot_tell`` if
    each of the two classes has at least ``split``, else the more probable one. None where the
    judge has no opinion.
    """
    if verdicts["positive"].isna().any():
        return None
    pair = verdicts[["positive", "negative"]].to_numpy(dtype=float)
    answers: np.ndarray = pair.argmax(1)
    answers[pair.min(1) >= split] = ANSWERS.index("cannot_tell")
    answers[verdicts["beside"].to_numpy(dtype=float) > beside] = ANSWERS.index("neither")
    return answers


def effective_answers(counts: np.ndarray, agreement: float) -> float:
    """The number of independent answers that answers of several people to the same images equal.

    The more people agree, the less a second answer to the same image adds. The number of answers is
    divided by the design effect ``1 + (m - 1) alpha`` (Kish 1965), where m is the mean number of
    answers to the image of an answer, and alpha stands for the intraclass correlation.

    Args:
        counts: Answers by image, (N, 4).
        agreement: Alpha; NaN counts as full agreement.
    """
    by_image = counts.sum(1)
    if by_image.sum() == 0:
        return 0.0
    mean = (by_image**2).sum() / by_image.sum()
    correlation = 1.0 if np.isnan(agreement) else min(max(agreement, 0.0), 1.0)
    return float(by_image.sum() / (1 + (mean - 1) * correlation))


def _with_interval(
    statistic: Callable[[np.ndarray], float], images: int, resamples: int, seed: int
) -> Estimate:
    value = statistic(np.arange(images))
    if np.isnan(value):
        return Estimate.none()
    random = np.random.default_rng(seed)
    drawn = np.array([statistic(random.integers(0, images, images)) for _ in range(resamples)])
    # A resample may hold one answer only.
    known = drawn[~np.isnan(drawn)]
    return estimate(value, torch.from_numpy(known)).within(-1, 1) if len(known) else Estimate.none()

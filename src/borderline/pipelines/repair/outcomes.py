"""The scores of each training of a repair on the test images and on fresh images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any, NamedTuple, Self, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from borderline.boundary import Boundary
from borderline.datasets.checkpoints import Checkpoints
from borderline.errors import BorderlineError
from borderline.measures.classification import score_classifier
from borderline.measures.confusion import is_positive
from borderline.measures.near import Assigning, near_clusters
from borderline.pipelines.repair.params import AGAIN, RepairParams
from borderline.records import Clusters, FreshImages, LabelledImages, Prototypes, RealView

AS_IS = "as_is"
"""The name of the model under test in tables, beside the arms."""

ARMS: Mapping[str, str] = {
    AS_IS: "the model as it is",
    "again": "no added images",
    "boundary": "borderline images",
    "prototypes": "borderline images near prototypes",
    "random": "random generated images",
    "uncertain": "uncertain real images",
    "augmented": "changed training images",
    "soft": "borderline images with soft labels",
}
"""The arms in words, with the model as it is."""


class Outcome(NamedTuple):
    """The probabilities of one training, or of the model as it is.

    Attributes:
        name: Its name, ``<arm>_seed_<s>``.
        seed: s, from 1; None for the model as it is.
        test_p: p of the test images, (N,).
        fresh_p: p of the fresh images, (F,).
        boundary: Its own decision boundary.
        selection_loss: Its mean binary cross-entropy on the selection images; NaN for the model as
            it is.
    """

    name: str
    arm: str
    seed: int | None
    test_p: Tensor
    fresh_p: Tensor
    boundary: Boundary
    selection_loss: float

    @property
    def is_finite(self) -> bool:
        """Whether all probabilities are numbers; those of a diverged training are not."""
        return bool(self.test_p.isfinite().all() and self.fresh_p.isfinite().all())


class ScoredOn(NamedTuple):
    """The images on which all trainings are scored.

    Attributes:
        labels: The classes of the test images, int64 (N,).
        groups: Their groups, int64 (N,); None for none.
        near: The number of the prototype whose pattern each test image lies near, int64 (N,); -1
            for none.
        fresh_labels: The classes of the fresh images, int64 (F,).
        fresh_patterns: The numbers of their prototypes, int64 (F,); -1 for none.
        patterns: The number of patterns.
    """

    labels: Tensor
    groups: Tensor | None
    near: Tensor
    fresh_labels: Tensor
    fresh_patterns: Tensor
    patterns: int

    @classmethod
    def of(
        cls,
        pair_test: LabelledImages,
        fresh: FreshImages,
        real_view: RealView,
        model: Assigning,
        clusters: Clusters,
        prototypes: Prototypes,
    ) -> Self:
        """The images of a run, with the patterns that they lie near.

        A cluster with several prototypes is the pattern of the first one.
        """
        near = near_clusters(model, real_view["test_embeddings"].numpy())
        of_prototypes = clusters["labels"][prototypes["rows"]].tolist()
        numbers = torch.full((len(near),), -1)
        for number, cluster in reversed(list(enumerate(of_prototypes))):
            if cluster >= 0:
                numbers[torch.from_numpy(near == cluster)] = number
        return cls(
            pair_test["labels"],
            pair_test.get("groups"),
            numbers,
            fresh["labels"],
            fresh["patterns"],
            len(of_prototypes),
        )


def outcomes_of(
    trainings: Checkpoints, repair: RepairParams, boundary: Boundary, tested: ScoredOn
) -> list[Outcome]:
    """The outcomes of all trainings, in the order of the arms and of the seeds.

    Args:
        trainings: The trainings by name.
        repair: The arms and the number of seeds.
        boundary: The decision boundary of the model under test; each training has its threshold.
        tested: The images that the trainings must have seen.

    Raises:
        BorderlineError: When a training is missing, or has other images.
    """
    outcomes = []
    for arm in repair.arms:
        names = {f"{arm}_seed_{seed}": seed for seed in range(1, repair.seeds + 1)}
        missing = names.keys() - trainings.keys()
        # An arm with too few images has no trainings at all.
        if missing and (arm == AGAIN or len(missing) < len(names)):
            raise BorderlineError(
                f"The trainings {', '.join(sorted(missing))} of the repair are missing: run "
                "`kedro run --pipelines repair` to the end."
            )
        outcomes += [_outcome(trainings, n, arm, names[n], boundary) for n in names if not missing]
    counts = len(tested.labels), len(tested.fresh_labels)
    for outcome in outcomes:
        if (len(outcome.test_p), len(outcome.fresh_p)) != counts:
            raise BorderlineError(
                f"The training {outcome.name} of the repair was tested on other images than those "
                "of this run: run `kedro run --pipelines repair` again, from its first node on."
            )
    return outcomes


def _outcome(trainings: Checkpoints, name: str, arm: str, seed: int, boundary: Boundary) -> Outcome:
    state = trainings[name]()["state"]
    at = cast(Boundary, {**boundary, "threshold": float(state["threshold"])})
    loss = float(state["selection_loss"])
    return Outcome(name, arm, seed, state["test_p"], state["fresh_p"], at, loss)


def as_it_is(real_view: RealView, fresh: FreshImages, boundary: Boundary) -> Outcome:
    """The model under test without a repair."""
    p = real_view["test_p"], fresh["probabilities"]
    return Outcome(AS_IS, AS_IS, None, *p, boundary, math.nan)


def score(outcomes: list[Outcome], tested: ScoredOn) -> pd.DataFrame:
    """The scores of trainings, a row each.

    Returns:
        ``arm``, ``seed``, ``threshold``, ``selection_loss``; on the test images
        ``accuracy`` and ``error`` at the decision threshold, ``sensitivity``, ``specificity``,
        ``nll`` (the negative log-likelihood per image in nats, the binary cross-entropy), ``ece``
        (expected calibration error), ``borderline`` (the share in the training's own band), with
        the counts ``test_images``, ``errors`` and ``borderline_test_images``; ``error_near``, the
        error on the ``near_images`` test images near any pattern, and ``fresh_accuracy`` on the
        ``fresh_images``; the same of each pattern with ``_<number>`` at the end;
        ``fresh_balanced_accuracy``, the mean over the classes that these have, of which
        ``fresh_positive_images`` are positive. A measure of no images, and all measures of a
        diverged training, are NaN.
    """
    rows = [dict(_row(outcome, tested)) for outcome in outcomes]
    return pd.DataFrame(rows).astype({"seed": "Int64"})


def _row(outcome: Outcome, tested: ScoredOn) -> Iterator[tuple[str, Any]]:
    yield from {"arm": outcome.arm, "seed": outcome.seed}.items()
    yield "threshold", outcome.boundary["threshold"]
    yield "selection_loss", outcome.selection_loss
    yield from _on_test(outcome, tested).items()
    wrong = wrong_of(outcome, tested.labels)
    right = is_positive(outcome.fresh_p, outcome.boundary).long() == tested.fresh_labels
    if not outcome.is_finite:
        wrong, right = (torch.full(hits.shape, math.nan) for hits in (wrong, right))
    yield "fresh_balanced_accuracy", _balanced(right, tested.fresh_labels)
    yield "fresh_positive_images", int(tested.fresh_labels.sum())
    for number in (None, *range(tested.patterns)):
        end = "" if number is None else f"_{number}"
        near, of_fresh = tested.near >= 0, torch.ones_like(right, dtype=torch.bool)
        if number is not None:
            near, of_fresh = tested.near == number, tested.fresh_patterns == number
        yield f"error_near{end}", _mean(wrong[near])
        yield f"near_images{end}", int(near.sum())
        yield f"fresh_accuracy{end}", _mean(right[of_fresh])
        yield f"fresh_images{end}", int(of_fresh.sum())


def _balanced(right: Tensor, labels: Tensor) -> float:
    """The mean accuracy of the classes that have images: most fresh images may be of one class."""
    of_classes = [_mean(right[labels == label]) for label in labels.unique()]
    return fmean(of_classes) if of_classes else math.nan


def _on_test(outcome: Outcome, tested: ScoredOn) -> dict[str, float]:
    names = ("accuracy", "error", "sensitivity", "specificity", "nll", "ece", "borderline")
    counts = ("errors", "borderline_test_images")
    images = {"test_images": len(tested.labels)}
    if not outcome.is_finite:
        return dict.fromkeys((*names, *counts), math.nan) | images
    scores = score_classifier(outcome.test_p, tested.labels, outcome.boundary)
    errors = scores["false_positive"] + scores["false_negative"]
    scores |= {"errors": errors, "error": errors / len(tested.labels), "nll": scores["loss"]}
    scores["borderline"] = scores["borderline_test_images"] / len(tested.labels)
    return {name: scores[name] for name in (*names, *counts, *images)}


def _mean(hits: Tensor) -> float:
    return float(hits.double().mean()) if len(hits) else math.nan


def wrong_of(outcome: Outcome, labels: Tensor) -> Tensor:
    """Which test images, with these labels, a training classifies wrongly, bool (N,)."""
    return is_positive(outcome.test_p, outcome.boundary).long() != labels


def majority_wrong(outcomes: list[Outcome], labels: Tensor) -> np.ndarray | None:
    """Which test images the majority of trainings classifies wrongly, bool (N,).

    In a tie, the mean distance of p from the thresholds decides. Diverged trainings have no vote;
    None where no others are left.
    """
    finite = [outcome for outcome in outcomes if outcome.is_finite]
    if not finite:
        return None
    votes = torch.stack([is_positive(each.test_p, each.boundary) for each in finite])
    above = torch.stack([each.test_p.double() - each.boundary["threshold"] for each in finite])
    share = votes.double().mean(0)
    positive = torch.where(share == 0.5, above.mean(0) > 0, share > 0.5)
    return (positive.long() != labels).numpy()

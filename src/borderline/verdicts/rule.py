"""Verdicts on borderline images: whose doubt each image is.

The decision boundary of one model and true ambiguity are different things (Weiss et al. 2023). The
mean probability q of a committee of independent judges tells them apart (Lakshminarayanan et al.
2017). docs/verdicts.md has the rule and its figures.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from borderline.committee import Committee
from borderline.findings import VERDICTS, written
from borderline.measures.distances import measure_distances
from borderline.measures.inference import embed
from borderline.records import HeldOut, Opinions
from borderline.verdicts.params import VerdictsParams

_DISTANCES = ("feature_neighbour", "pixel_neighbour", "feature_nearest", "pixel_nearest")
COLUMNS = (
    *("verdict", "positive", "negative", "beside", "top_class", "disagreement"),
    *_DISTANCES,
)
MEMORISED, UNREALISTIC, ANOTHER_CLASS, WEAKNESS, AMBIGUOUS, UNDECIDED = VERDICTS


class Limits(NamedTuple):
    """Distances to the real training images at which a verdict begins.

    Attributes:
        feature_far: An image is unrealistic if its k-th nearest neighbour in the judge's features
            is farther.
        pixel_far: The same in pixels.
        feature_near: An image is memorised if its nearest neighbour in the judge's features and
            that in pixels are both no farther.
        pixel_near: See ``feature_near``.
    """

    feature_far: float
    pixel_far: float
    feature_near: float
    pixel_near: float

    @classmethod
    def of(cls, real: HeldOut, settings: VerdictsParams) -> Self:
        """The quantiles of the distances of real test images, which no training has seen."""
        far, near = settings.unrealistic, settings.memorised
        return cls(
            float(np.quantile(real["feature_neighbour"].numpy(), far)),
            float(np.quantile(real["pixel_neighbour"].numpy(), far)),
            float(np.quantile(real["feature_nearest"].numpy(), near)),
            float(np.quantile(real["pixel_nearest"].numpy(), near)),
        )


def is_unrealistic(opinions: Opinions, limits: Limits) -> np.ndarray:
    """Whether each image is far from all real training images, in features or in pixels, (n,).

    Features alone do not do: those of a classifier collapse for images unlike any that it was
    trained on, and noise may lie amid them (van Amersfoort et al. 2020).
    """
    features = opinions["feature_neighbour"].numpy() > limits.feature_far
    return np.asarray(features | (opinions["pixel_neighbour"].numpy() > limits.pixel_far))


def is_memorised(opinions: Opinions, limits: Limits) -> np.ndarray:
    """Whether each image copies a training image, (n,); in the manner of Meehan et al. (2020)."""
    features = opinions["feature_nearest"].numpy() <= limits.feature_near
    return np.asarray(features & (opinions["pixel_nearest"].numpy() <= limits.pixel_near))


def opinion_on_pair(
    positive: np.ndarray, negative: np.ndarray, settings: VerdictsParams
) -> np.ndarray:
    """The verdict of the committee on each image, (n,), from q of the two classes, (n,) each."""
    conditions = [
        1 - positive - negative > settings.beside,
        np.maximum(positive, negative) >= settings.sure,
        np.minimum(positive, negative) >= settings.split,
    ]
    return np.select(conditions, [ANOTHER_CLASS, WEAKNESS, AMBIGUOUS], UNDECIDED)


def decide(
    opinions: Opinions, real: HeldOut, committee: Committee, settings: VerdictsParams
) -> pd.DataFrame:
    """The verdict on each image, with the numbers behind it.

    The first rule that holds decides: memorised, unrealistic, another class, weakness, ambiguous.
    An opinion on the class of an image that is a copy or no image of a class means little, so these
    two come first. Without an opinion, all other images are undecided.

    Returns:
        A row an image with ``COLUMNS``: ``positive`` and ``negative`` are q of the pair's classes,
        ``beside`` is that of all others, ``top_class`` the class with the highest q; then the
        ``disagreement`` in nats and the distances of ``Distances``.
    """
    limits = Limits.of(real, settings)
    table = pd.DataFrame(index=range(len(opinions["feature_nearest"])), columns=list(COLUMNS))
    verdicts: np.ndarray = np.full(len(table), UNDECIDED, dtype=object)
    if "probabilities" in opinions:
        q = opinions["probabilities"].double().numpy()
        positive, negative = q[:, committee.positive], q[:, committee.negative]
        verdicts = opinion_on_pair(positive, negative, settings).astype(object)
        table["positive"], table["negative"] = positive, negative
        table["beside"] = np.clip(1 - positive - negative, 0, 1)
        table["top_class"] = np.array(committee.classes, dtype=object)[q.argmax(1)]
        table["disagreement"] = opinions["disagreement"].double().numpy()
    verdicts[is_unrealistic(opinions, limits)] = UNREALISTIC
    verdicts[is_memorised(opinions, limits)] = MEMORISED
    table["verdict"] = verdicts
    for name in _DISTANCES:
        table[name] = opinions[name].double().numpy()  # type: ignore[literal-required]
    return table


def why_foreign(
    opinions: Opinions, real: HeldOut, committee: Committee, settings: VerdictsParams
) -> list[str]:
    """Why each image is no image of the pair, (n,); an empty text where nothing speaks against it.

    It is *unrealistic* or of *another class* as in :func:`decide`, except that it may be a copy.
    The distances are those to the training images of the pair, so that images of other classes are
    far even without an opinion.
    """
    share = written("{:.0%}", settings.unrealistic)
    far = f"farther from the training images of the pair than {share} of its test images"
    reasons: list[str] = np.where(
        is_unrealistic(opinions, Limits.of(real, settings)), far, ""
    ).tolist()
    if "probabilities" not in opinions:
        return reasons
    q = opinions["probabilities"].double().numpy().copy()
    q[:, [committee.positive, committee.negative]] = 0
    for row, beside in enumerate(q.sum(1)):
        if not reasons[row] and beside > settings.beside:
            reasons[row] = (
                f"the committee gives the other classes a probability of {beside:.2f}, most of it "
                f"to {committee.classes[q[row].argmax()]}"
            )
    return reasons


def judge_images(
    images: Tensor,
    committee: Committee,
    judge: nn.Module,
    train_images: Tensor,
    real: HeldOut,
    settings: VerdictsParams,
    device: torch.device,
) -> tuple[Opinions, pd.DataFrame]:
    """The committee's opinion on images, their distances, and the verdicts of :func:`decide`.

    Args:
        images: In [-1, 1], shape (n, C, H, W).
        committee: The judges; the first is the judge of realism.
        judge: The judge of realism.
        train_images: The real training images of all classes, shape (N, C, H, W).
        real: The pair's test images beside these.
        settings: The limits of the verdicts.
        device: The device to compute on.
    """
    features = embed(judge, images, device) if len(images) else real["train_features"][:0]
    train = train_images, real["train_features"]
    opinions: Opinions = {**measure_distances(images, features, *train, settings.neighbours)}  # type: ignore[typeddict-item]
    return opinions, _decide(images, opinions, committee, real, settings, device)


def judge_test_images(
    images: Tensor,
    rows: Tensor,
    committee: Committee,
    real: HeldOut,
    settings: VerdictsParams,
    device: torch.device,
) -> pd.DataFrame:
    """The verdicts of :func:`decide` on some of the pair's real test images.

    Args:
        images: These images in [-1, 1], shape (n, C, H, W).
        rows: Their rows among the test images, int64 (n,).
        committee: The judges.
        real: The distances of all test images.
        settings: The limits of the verdicts.
        device: The device to compute on.
    """
    opinions: Opinions = {name: real[name][rows] for name in _DISTANCES}  # type: ignore[assignment, literal-required]
    return _decide(images, opinions, committee, real, settings, device)


def _decide(
    images: Tensor,
    opinions: Opinions,
    committee: Committee,
    real: HeldOut,
    settings: VerdictsParams,
    device: torch.device,
) -> pd.DataFrame:
    """Ask the committee, where it has an opinion, and decide; the opinions get its answers."""
    if committee.members:
        opinions["probabilities"], opinions["disagreement"] = committee.opinion(images, device)
    return decide(opinions, real, committee, settings)

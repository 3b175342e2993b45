"""The pair: two classes of a source, with their training and test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.datasets.image_source import split_source as split_source
from borderline.errors import BorderlineError
from borderline.records import LabelledImages, take_rows

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.params import PairParams

FEWEST_IMAGES = 10


def labels_of_pair(source: SourceImages, pair: PairParams) -> tuple[int, int]:
    """The labels of the positive and the negative class.

    Raises:
        BorderlineError: When a class is not in the source, or when both are the same.
    """
    positive = source.label_of(pair.positive, "pair.positive")
    negative = source.label_of(pair.negative, "pair.negative")
    if positive == negative:
        raise BorderlineError(
            f"pair.positive and pair.negative are both {pair.positive!r}: choose two classes."
        )
    return positive, negative


def check_counts(source: SourceImages) -> None:
    """Check that each class has enough images for the judge, which learns all classes.

    Raises:
        BorderlineError: When a class has fewer than ``FEWEST_IMAGES``.
    """
    labels, counts = source.train["labels"].unique(return_counts=True)
    if int(counts.min()) < FEWEST_IMAGES:
        rarest = int(labels[counts.argmin()])
        raise BorderlineError(
            f"The class {rarest} of {source.name} has only {int(counts.min())} training images, "
            f"but the judge needs at least {FEWEST_IMAGES} of each class: add some, or remove the "
            "class from the files."
        )


def images_of_pair(data: LabelledImages, positive: int, negative: int) -> LabelledImages:
    """The images of two classes in their order, with label 1 for the positive one, else 0."""
    labels = data["labels"]
    pair = take_rows(data, ((labels == positive) | (labels == negative)).nonzero()[:, 0])
    return {"images": pair["images"], "labels": (pair["labels"] == positive).long()}

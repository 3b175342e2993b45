"""The pair: two classes of a source, with their training and test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.errors import BorderlineError
from borderline.records import LabelledImages, take_rows

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.params import PairParams

FEWEST_IMAGES = 10


def split_source(
    source: SourceImages, test_share: float, seed: int
) -> tuple[LabelledImages, LabelledImages]:
    """Training and test images of all classes; a source with test images is not split.

    ``test_share`` of each class, in (0, 1), becomes test images.
    """
    # Checks before a run import this module, so the heavy libraries wait until they are needed.
    import torch
    from sklearn.model_selection import train_test_split

    if source.test is not None:
        return source.train, source.test
    labels = source.train["labels"]
    train, test = train_test_split(
        torch.arange(len(labels)).numpy(),
        test_size=test_share,
        stratify=labels.numpy(),
        random_state=seed,
    )
    train, test = (take_rows(source.train, torch.from_numpy(rows)) for rows in (train, test))
    return train, test


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

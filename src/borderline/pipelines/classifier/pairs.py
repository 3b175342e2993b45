"""From a source of many classes to the two that the model under test tells apart."""

from __future__ import annotations

import torch
from sklearn.model_selection import train_test_split

from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.params import PairParams
from borderline.records import LabelledImages, take_rows

FEWEST_IMAGES = 10


def split_source(
    source: SourceImages, test_share: float, seed: int
) -> tuple[LabelledImages, LabelledImages]:
    """Training and test images of all classes.

    Args:
        source: The source; its own test set is kept where it has one.
        test_share: Else the share of each class that becomes test images, in (0, 1).
        seed: Seed of that split.

    Returns:
        Training images and test images.
    """
    if source.test is not None:
        return source.train, source.test
    labels = source.train["labels"]
    train, test = train_test_split(
        torch.arange(len(labels)).numpy(),
        test_size=test_share,
        stratify=labels.numpy(),
        random_state=seed,
    )
    return take_rows(source.train, torch.from_numpy(train)), take_rows(
        source.train, torch.from_numpy(test)
    )


def labels_of_pair(source: SourceImages, pair: PairParams) -> tuple[int, int]:
    """The labels of the positive and the negative class.

    Args:
        source: The source.
        pair: The classes by label or name.

    Raises:
        BorderlineError: When a class is not in the source, when both are the same, or when one has
            too few images.
    """
    positive = source.label_of(pair.positive, "pair.positive")
    negative = source.label_of(pair.negative, "pair.negative")
    if positive == negative:
        raise BorderlineError(
            f"pair.positive and pair.negative are both {pair.positive!r}: choose two classes."
        )
    return positive, negative


def check_counts(source: SourceImages) -> None:
    """Make sure that there are enough images of every class, for the judge learns them all.

    Raises:
        BorderlineError: When there are not.
    """
    labels, counts = source.train["labels"].unique(return_counts=True)
    if int(counts.min()) < FEWEST_IMAGES:
        rarest = int(labels[counts.argmin()])
        raise BorderlineError(
            f"The class {rarest} of {source.name} has only {int(counts.min())} training images, "
            f"but at least {FEWEST_IMAGES} of every class are needed: add some, or leave the class "
            "out of the files."
        )


def images_of_pair(data: LabelledImages, positive: int, negative: int) -> LabelledImages:
    """The images of two classes, in their former order.

    Args:
        data: Images and labels of any classes.
        positive: The class that gets label 1.
        negative: The class that gets label 0.

    Returns:
        Images and labels 0 or 1.
    """
    labels = data["labels"]
    chosen = take_rows(data, ((labels == positive) | (labels == negative)).nonzero()[:, 0])
    return {"images": chosen["images"], "labels": (chosen["labels"] == positive).long()}

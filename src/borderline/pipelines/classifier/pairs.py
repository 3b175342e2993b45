"""The pair: two classes of a source, with their training and test images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from borderline.datasets.image_source import split_source as split_source
from borderline.errors import BorderlineError
from borderline.records import LabelledImages, take_rows

if TYPE_CHECKING:
    import pandas as pd

    from borderline.datasets.image_source import SourceImages
    from borderline.params import PairParams, RunParams
    from borderline.training.params import TrainingParams

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

    every, marked = source.train["labels"], source.train.get("validation")
    labels = every.unique()
    trained = every if marked is None else every[~marked]
    counts = trained.bincount(minlength=int(labels.max()) + 1)[labels]
    if int(counts.min()) < FEWEST_IMAGES:
        rarest = int(labels[counts.argmin()])
        raise BorderlineError(
            f"The class {source.classes[rarest]} of {source.name} has only {int(counts.min())} "
            f"training images, but the judge needs at least {FEWEST_IMAGES} of each class: add "
            "some, or remove the class from the files."
        )


def check_distinct(source: SourceImages, pair: PairParams) -> None:
    """Check that each class of the pair has enough different training images.

    Raises:
        BorderlineError: When a class has fewer than ``pair.fewest_distinct``.
    """
    for label in labels_of_pair(source, pair):
        images = source.train["images"][source.train["labels"] == label]
        different: set[bytes] = set()
        for image in images:
            different.add(image.numpy().tobytes())
            if len(different) >= pair.fewest_distinct:
                break
        else:
            raise BorderlineError(
                f"pair.fewest_distinct is {pair.fewest_distinct}, but the {len(images)} training "
                f"images of the class {source.classes[label]} of {source.name} show only "
                f"{len(different)} different images: add images, or lower the setting for a run "
                "whose patterns mean little."
            )


def columns_of_pair(source: SourceImages, pair: PairParams, seed: int) -> pd.DataFrame:
    """The columns beside the images of the pair, first of the training, then of the test images.

    One row an image, with its number as ``pair_row``; no rows if the source has no columns.
    """
    import pandas as pd
    import torch

    if source.train_columns is None and source.test_columns is None:
        return pd.DataFrame({"pair_row": pd.Series(dtype=int)})

    count, labels = len(source.train["labels"]), labels_of_pair(source, pair)
    splits = split_numbers(source, pair.test_share, seed)
    rows = torch.cat([images_of_pair(split, *labels)["images"] for split in splits])
    # A split without columns has missing values.
    of_train, of_test = source.train_columns, source.test_columns
    of_train = pd.DataFrame(index=range(count)) if of_train is None else of_train
    columns = pd.concat([of_train, of_test], ignore_index=True)
    table = columns.reindex(rows.numpy()).reset_index(drop=True)
    table.insert(0, "pair_row", range(len(table)))
    return table


def split_numbers(
    source: SourceImages, test_share: float, seed: int
) -> tuple[LabelledImages, LabelledImages]:
    """The splits of ``split_source`` with the number of each image in place of the image.

    The numbers of test images of the source follow those of the training images. Nothing copies the
    images.
    """
    import torch

    def numbered(split: LabelledImages, first: int = 0) -> LabelledImages:
        rows = torch.arange(first, first + len(split["labels"]))
        return {**split, "images": rows}

    count = len(source.train["labels"])
    test = None if source.test is None else numbered(source.test, count)
    return split_source(replace(source, train=numbered(source.train), test=test), test_share, seed)


def split_pair(
    source: SourceImages, pair: PairParams, seed: int
) -> tuple[LabelledImages, LabelledImages]:
    """Training and test images of the pair; images of other classes are not copied."""
    labels, count = labels_of_pair(source, pair), len(source.train["labels"])
    train, test = (
        images_of_pair(split, *labels) for split in split_numbers(source, pair.test_share, seed)
    )
    tests, first = (source.train, 0) if source.test is None else (source.test, count)
    train["images"] = source.train["images"][train["images"]]
    test["images"] = tests["images"][test["images"] - first]
    return train, test


def validation_of(
    source: SourceImages, pair: PairParams, training: TrainingParams, run: RunParams
) -> LabelledImages:
    """The images of the pair that the threshold of an operating point is chosen on."""
    from borderline.training.epochs import split_validation

    train, _ = split_pair(source, pair, run.seed_for("test images"))
    _, rows = split_validation(train, training, run, "classifier")
    return take_rows(train, rows)


def images_of_pair(data: LabelledImages, positive: int, negative: int) -> LabelledImages:
    """The images of two classes in their order, with label 1 for the positive one, else 0."""
    labels = data["labels"]
    pair = take_rows(data, ((labels == positive) | (labels == negative)).nonzero()[:, 0])
    return {**pair, "labels": (pair["labels"] == positive).long()}

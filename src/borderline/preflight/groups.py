"""Checks of the real images before a run: splits of whole groups, and leaks between the splits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.preflight.configuration import Parameters
    from borderline.records import LabelledImages

logger = logging.getLogger(__name__)

# A split is logged where its share differs from the wanted one by more than this part of it.
_NEAR = 0.1


class Split(NamedTuple):
    """A split by the project of images in groups.

    Attributes:
        setting: The setting of its share.
        part: The name of the second part.
        share: The wanted share of the second part.
        first: The images of the first part, with the labels of the source.
        second: The images of the second part.
    """

    setting: str
    part: str
    share: float
    first: LabelledImages
    second: LabelledImages


def check_groups(source: SourceImages, parameters: Parameters) -> None:
    """Check that each split of whole groups has both classes of the pair in both parts.

    Raises:
        BorderlineError: When it has not.
    """
    from borderline.pipelines.classifier.pairs import labels_of_pair

    if source.groups is None:
        return
    of_pair = labels_of_pair(source, parameters.pair)
    for split in _splits(source, parameters):
        for label in of_pair:
            parts = [
                part["groups"][part["labels"] == label] for part in (split.first, split.second)
            ]
            if min(map(len, parts)):
                continue
            count = len({group for part in parts for group in part.tolist()})
            raise BorderlineError(
                f"source.group_column is {source.groups.column!r}, but the class "
                f"{source.classes[label]} of {source.name} cannot be both in training and in "
                f"{split.part}: its images there are in {count} group{'s'[: count != 1]}, and "
                f"{split.setting} splits whole groups. Name another column, or add images of "
                "other groups."
            )


def warn_of_images(source: SourceImages, parameters: Parameters) -> None:
    """Log where groups miss the wanted share of a split, and where training and test overlap."""
    from borderline.measures.leaks import RealImages, leaks
    from borderline.pipelines.classifier.pairs import split_numbers

    if source.groups is not None:
        for split in _splits(source, parameters):
            count, rest = len(split.second["labels"]), len(split.first["labels"])
            reached = count / (count + rest)
            if abs(reached - split.share) > _NEAR * split.share:
                logger.warning(
                    "%s is %.3g, but whole groups of %s give a share of %.3g: %d of %d images are "
                    "%s images",
                    *(split.setting, split.share, source.groups.column, reached),
                    *(count, count + rest, split.part),
                )
    run, ids = parameters.run, () if source.groups is None else source.groups.ids
    splits = split_numbers(source, parameters.pair.test_share, run.seed_for("test images"))
    images = [part["images"] for part in (source.train, source.test) if part is not None]
    for sentence in leaks(RealImages.of(*splits, *images), ids, examples=True):
        logger.warning("%s: %s", source.name, sentence)


def _splits(source: SourceImages, parameters: Parameters) -> Iterator[Split]:
    """The splits that the run makes: the test images, and the validation of each training."""
    from borderline.pipelines.classifier.pairs import labels_of_pair, split_numbers
    from borderline.pipelines.classifier.params import JudgeParams
    from borderline.records import take_rows
    from borderline.training.epochs import split_validation

    run, pair = parameters.run, parameters.pair
    train, test = split_numbers(source, pair.test_share, run.seed_for("test images"))
    marked = train.get("validation")
    if source.test is None:
        rest = train if marked is None else take_rows(train, ~marked)
        yield Split("pair.test_share", "test", pair.test_share, rest, test)
    if marked is not None:
        return
    positive, negative = labels_of_pair(source, pair)
    rows = (train["labels"] == positive) | (train["labels"] == negative)
    trainings = [("classifier", take_rows(train, rows), parameters.classifier)]
    if isinstance(parameters.judge, JudgeParams):
        trainings.append(("judge", train, parameters.judge))
    for purpose, images, params in trainings:
        parts = split_validation(images, params, run, purpose)
        setting = f"{purpose}.validation_share"
        first, second = (take_rows(images, part) for part in parts)
        yield Split(setting, "validation", params.validation_share, first, second)

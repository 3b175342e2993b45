"""Labelled images as arrays, whatever they were read from."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
import pandas as pd

from borderline.datasets.class_names import known_classes, same_letters
from borderline.datasets.limits import check_labels
from borderline.datasets.scale import Scale, on_scale
from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

_SHOWN = 30


class Arrays(NamedTuple):
    """Images as arrays.

    Attributes:
        pixels: Shape (N, C, H, W), on ``scale``.
        labels: Shape (N,).
        columns: Other values of each image, N rows; None for none.
        validation: Which training images are used for validation only, bool (N,); None where the
            source does not say.
        scale: The values of black and white in ``pixels``, as for
            :func:`~borderline.datasets.scale.on_scale`.
    """

    pixels: np.ndarray
    labels: np.ndarray
    columns: pd.DataFrame | None = None
    validation: np.ndarray | None = None
    scale: Scale | None = None


ImageArrays = tuple[tuple[str, ...], Arrays, Arrays | None]
"""The classes, the training images, and the test images if there are some."""


def with_validation(train: Arrays, validation: Arrays | None, source: str) -> Arrays:
    """The training images, followed by the validation images, which ``validation`` marks.

    Args:
        validation: None leaves the training images as they are.
        source: The name of the source in messages.

    Raises:
        BorderlineError: When the validation images have another shape.
    """
    if validation is None:
        return train
    if validation.pixels.shape[1:] != train.pixels.shape[1:]:
        raise BorderlineError(
            f"The validation images of {source} have the shape {validation.pixels.shape[1:]} "
            f"(channels, height, width), but the training images {train.pixels.shape[1:]}: convert "
            "them, or set source.size and source.colour."
        )
    if train.scale != validation.scale:
        train, validation = (
            part._replace(pixels=on_scale(part.pixels, part.scale), scale=None)
            for part in (train, validation)
        )
    counts = len(train.labels), len(validation.labels)
    columns = [
        pd.DataFrame(index=range(count)) if part.columns is None else part.columns
        for part, count in zip((train, validation), counts, strict=True)
    ]
    joined = pd.concat(columns, ignore_index=True)
    logger.info(
        "%s has %d validation images: they replace validation_share of the training images",
        source,
        counts[1],
    )
    return Arrays(
        np.concatenate([train.pixels, validation.pixels]),
        np.concatenate([train.labels, validation.labels]),
        joined if len(joined.columns) else None,
        np.repeat([False, True], counts),
        train.scale,
    )


def in_classes(source: ImageArrays, classes: tuple[str, ...] | None, name: str) -> ImageArrays:
    """The images of the classes that ``source.classes`` chooses, with labels in its order.

    Args:
        source: Images with labels that are indices into the source's own names of classes; -1 is
            that of an image whose class is none of them.
        classes: The setting; None leaves the source as it is.
        name: The name of the source in messages.

    Raises:
        BorderlineError: When a class is none of the source's, when a label has no name, when no
            test image is left, and when validation images lack a class.
    """
    own, train, test = source
    splits = {"training": train} if test is None else {"training": train, "test": test}
    highest = {part: int(max(images.labels, default=-1)) for part, images in splits.items()}
    if classes is not None and own == tuple(map(str, range(len(own)))):
        # Test images can have a label that no training image has.
        check_labels(max(highest.values()), len(train.labels), name)
        own = tuple(map(str, range(max(len(own), *(label + 1 for label in highest.values())))))
    for part, label in highest.items():
        if label >= len(own):
            raise BorderlineError(
                f"The {part} images of {name} have the label {label}, but its classes are "
                f"{', '.join(own[:_SHOWN])}: correct the label, or add training images of its "
                "class."
            )
    if classes is None:
        classes = own
    else:
        classes = tuple(same_letters(one, own) for one in classes)
        known = known_classes(own, classes, name)
        new_labels = np.array([*(known.get(one, -1) for one in own), -1])
        train, test = _relabelled(train, new_labels), test and _relabelled(test, new_labels)
    if test is not None and not len(test.labels):
        raise BorderlineError(
            f"The test images of {name} show none of the classes {', '.join(classes[:_SHOWN])}: "
            "add some, or remove the test images."
        )
    _check_validation(train, classes, name)
    return classes, train, test


def _check_validation(train: Arrays, classes: tuple[str, ...], source: str) -> None:
    """Check that the validation images show all classes of the training images."""
    if train.validation is None:
        return
    of_training, of_validation = (
        {*train.labels[train.validation == kind].tolist()} for kind in (False, True)
    )
    lacking = sorted(of_training - of_validation)
    if lacking:
        raise BorderlineError(
            f"The validation images of {source} show no image of the classes "
            f"{', '.join(classes[label] for label in lacking[:_SHOWN])}: add some, or remove the "
            "validation images."
        )


def _relabelled(images: Arrays, new_labels: np.ndarray) -> Arrays:
    """The images with ``new_labels[label]`` as their labels, without those where it is -1."""
    labels = new_labels[images.labels]
    kept = labels >= 0
    if kept.all():
        return images._replace(labels=labels)
    columns, validation = images.columns, images.validation
    return images._replace(
        pixels=images.pixels[kept],
        labels=labels[kept],
        columns=None if columns is None else columns[kept].reset_index(drop=True),
        validation=None if validation is None else validation[kept],
    )


def channels_first(images: np.ndarray) -> np.ndarray:
    """Images as (N, C, H, W), from (N, H, W), (N, H, W, C) or (N, C, H, W); C is 1 or 3."""
    if images.ndim == 3:
        return images[:, None]
    if images.shape[-1] in (1, 3) and images.shape[1] not in (1, 3):
        return np.moveaxis(images, -1, 1)
    return images

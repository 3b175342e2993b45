"""Groups and images that training and test share, which make scores on the test images too good."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.records import LabelledImages

PARTS = ("training", "validation", "test")
_PAIRS = ((0, 2), (1, 2), (0, 1))


class RealImages(NamedTuple):
    """All real images, N of them.

    Attributes:
        part: The place of each image in ``PARTS``, int64 (N,).
        labels: The class of each image, int64 (N,).
        pixels: A number for each image, int64 (N,), the same for images with the same pixels.
        groups: The group of each image, int64 (N,); None for none.
    """

    part: np.ndarray
    labels: np.ndarray
    pixels: np.ndarray
    groups: np.ndarray | None

    @classmethod
    def of(cls, train: LabelledImages, test: LabelledImages, *images: Tensor) -> RealImages:
        """The images of both splits, or with ``images`` these, whose numbers the splits hold."""
        counts = [len(split["labels"]) for split in (train, test)]
        part = np.repeat([0, 2], counts)
        if "validation" in train:
            part[: counts[0]] = train["validation"].numpy()
        splits = train, test
        labels = np.concatenate([split["labels"].numpy() for split in splits])
        order = np.arange(len(labels))
        if images:
            order = np.concatenate([split["images"].numpy() for split in splits]).argsort()
        groups = None
        if "groups" in train and "groups" in test:
            groups = np.concatenate([split["groups"].numpy() for split in splits])[order]
        pixels = numbers_of_pixels(*(images or (train["images"], test["images"])))
        return cls(part[order], labels[order], pixels, groups)


def numbers_of_pixels(*images: Tensor) -> np.ndarray:
    """A number for each image, int64 (N,), the same for images with exactly the same pixels.

    Example:
        >>> import torch
        >>> numbers_of_pixels(torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1, 1)).tolist()
        [0, 1, 0]
    """
    numbers: dict[bytes, int] = {}
    digests = (
        hashlib.sha256(image.tobytes()).digest() for some in images for image in some.numpy()
    )
    return np.array([numbers.setdefault(digest, len(numbers)) for digest in digests], dtype=int)


def leaks(real: RealImages, ids: Sequence[str] = (), *, examples: bool = False) -> list[str]:
    """A sentence for each leak: a shared group, a shared image, an image with several labels.

    Args:
        real: The images.
        ids: The ids of the groups, for an example.
        examples: Whether each sentence has an example: the id of a group, or the numbers of two
            images from 0 on. Ids may be personal data, so no page has examples.
    """
    return [
        *_shared_groups(real, ids, examples),
        *_shared_images(real, examples),
        *_several_labels(real, examples),
    ]


def _shared_groups(real: RealImages, ids: Sequence[str], examples: bool) -> Iterator[str]:
    if real.groups is None:
        return
    for first, second, common in _common(real.part, real.groups):
        has = "group has" if len(common) == 1 else "groups have"
        example = f" (for example {ids[common[0]]!r})" if examples else ""
        yield (
            f"{len(common):,} {has} images in {PARTS[first]} and in {PARTS[second]}{example}, "
            f"among them {_counted(real.part, real.groups, common, second)}. {_effect(second)}"
        )


def _shared_images(real: RealImages, examples: bool) -> Iterator[str]:
    for first, second, common in _common(real.part, real.pixels):
        same = real.pixels == common[0]
        rows = (np.flatnonzero(same & (real.part == part))[0] for part in (first, second))
        example = f" (for example images {' and '.join(map(str, rows))})" if examples else ""
        yield (
            f"The pixels of {_counted(real.part, real.pixels, common, second)} are exactly those "
            f"of a {PARTS[first]} image{example}. {_effect(second)}"
        )


def _several_labels(real: RealImages, examples: bool) -> Iterator[str]:
    pixels = np.unique(np.stack([real.pixels, real.labels]), axis=1)[0]
    rows = np.flatnonzero(np.isin(real.pixels, pixels[1:][pixels[1:] == pixels[:-1]]))
    if len(rows):
        same = rows[real.pixels[rows] == real.pixels[rows[0]]]
        other = same[real.labels[same] != real.labels[rows[0]]][0]
        example = f" (for example images {rows[0]} and {other})" if examples else ""
        yield (
            f"The pixels of {len(rows):,} images are exactly those of an image with another "
            f"label{example}. Some labels are wrong, or the classes overlap."
        )


def _common(part: np.ndarray, key: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """The keys that two parts share, for all two parts that share some."""
    for first, second in _PAIRS:
        common = np.intersect1d(key[part == first], key[part == second])
        if len(common):
            yield first, second, common


def _counted(part: np.ndarray, key: np.ndarray, common: np.ndarray, second: int) -> str:
    inside = key[part == second]
    return f"{np.isin(inside, common).sum():,} of {len(inside):,} {PARTS[second]} images"


def _effect(second: int) -> str:
    if PARTS[second] == "test":
        return "The measures on the test images may be too good."
    return "The choice of the best epoch and the calibration may be too good."


def is_shared(train: LabelledImages, test: LabelledImages) -> Tensor:
    """Which training images have the pixels or the group of a test image, bool (N,)."""
    count = len(train["labels"])
    numbers = numbers_of_pixels(train["images"], test["images"])
    shared = torch.from_numpy(np.isin(numbers[:count], numbers[count:]))
    if "groups" in train and "groups" in test:
        shared |= torch.isin(train["groups"], test["groups"])
    return shared


def check_not_held_out(images: Mapping[str, Tensor], held_out: Mapping[str, Tensor]) -> None:
    """Make sure that no image that an arm of a repair adds is an exact copy of a held-out one.

    Args:
        images: The images of each arm, (n, C, H, W).
        held_out: The images that no arm may add, (N, C, H, W), by the name of their set.

    Raises:
        BorderlineError: When one has; the sentence names the arm and the set.
    """
    for (name, some), (kind, kept) in itertools.product(images.items(), held_out.items()):
        numbers = numbers_of_pixels(kept, some)
        if shared := np.isin(numbers[len(kept) :], numbers[: len(kept)]).sum():
            copy = "image is a copy" if shared == 1 else "images are copies"
            raise BorderlineError(
                f"repair.arms names {name!r}, but {shared} {copy} of a {kind} image, so the "
                "repaired model would be judged on images of its training: take copies out of the "
                f"images of the source, or take {name} out of repair.arms."
            )

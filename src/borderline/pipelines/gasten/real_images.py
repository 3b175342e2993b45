"""The real training images that epochs are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.datasets.image_source import split_source
from borderline.params import PairParams, RunParams
from borderline.records import LabelledImages

if TYPE_CHECKING:
    from torch import Tensor

    from borderline.datasets.image_source import SourceImages


def training_images(source: SourceImages, pair: PairParams, run: RunParams) -> LabelledImages:
    """The training images of all classes."""
    train, _ = split_source(source, pair.test_share, run.seed_for("test images"))
    return train


def rows_of_pair(
    source: SourceImages, pair_names: dict[str, str], pair: PairParams, run: RunParams
) -> Tensor:
    """The rows of the pair's training images among those of all classes, a boolean (N,)."""
    labels = training_images(source, pair, run)["labels"]
    positive, negative = (source.classes.index(pair_names[n]) for n in ("positive", "negative"))
    return (labels == positive) | (labels == negative)

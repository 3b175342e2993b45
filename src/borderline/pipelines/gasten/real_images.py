"""The real training images that epochs are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.datasets.image_source import training_images
from borderline.params import PairParams, RunParams

if TYPE_CHECKING:
    from torch import Tensor

    from borderline.datasets.image_source import SourceImages


def rows_of_pair(
    source: SourceImages, pair_names: dict[str, str], pair: PairParams, run: RunParams
) -> Tensor:
    """The rows of the pair's training images among those of all classes, a boolean (N,)."""
    labels = training_images(source, pair, run)["labels"]
    positive, negative = (source.classes.index(pair_names[n]) for n in ("positive", "negative"))
    return (labels == positive) | (labels == negative)

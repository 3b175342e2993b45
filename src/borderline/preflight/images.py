"""Checks the real images of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.ledger import Entry
    from borderline.preflight.configuration import Parameters

_FEWEST_OF_A_CLASS = 4


def check_source(source: SourceImages, parameters: Parameters) -> None:
    """Check that the source has the classes of the pair, and enough images of every class."""
    from borderline.pipelines.classifier.pairs import check_counts, labels_of_pair, split_source

    positive, negative = labels_of_pair(source, parameters.pair)
    check_counts(source)
    share, seed = parameters.pair.test_share, parameters.run.seed
    try:
        counts = [
            [int((images["labels"] == label).sum()) for label in (positive, negative)]
            for images in split_source(source, share, seed)
        ]
    except ValueError:  # The share is so near to 0 or 1 that a class gets no image.
        counts = [[0]]
    fewest = min(min(split) for split in counts)
    if fewest < _FEWEST_OF_A_CLASS:
        raise BorderlineError(
            f"pair.test_share is {share} and leaves {fewest} training or test images of a class of "
            f"the pair in {source.name}, but at least {_FEWEST_OF_A_CLASS} are needed of each: "
            "choose another share, or classes with more images."
        )
    neighbours, images = parameters.metrics.neighbours, sum(counts[0])
    if neighbours >= images:
        raise BorderlineError(
            f"metrics.neighbours is {neighbours}, but the pair has only {images} training images "
            f"in {source.name}: lower it."
        )


def digest_of_images(source: SourceImages) -> str:
    """A fingerprint of all images and labels of a source."""
    from borderline.datasets.tensors import digest

    splits = [split for split in (source.train, source.test) if split is not None]
    return digest(*(tensor for split in splits for tensor in (split["images"], split["labels"])))


def check_same_images(source_digest: str, former: Entry, folder: str) -> None:
    """Check that the results on disk were made with the images that the source now holds."""
    if former.get("digest", source_digest) != source_digest:
        raise BorderlineError(
            f"source holds other images than those that the results in {folder} were made with: "
            "set dataset in conf/<env>/globals.yml to another name, which gives the run folders "
            "of its own, or move that folder away."
        )

"""Whether the real images are those that a run needs."""

from __future__ import annotations

from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.ledger import Entry
from borderline.pipelines.classifier.pairs import check_counts, labels_of_pair, split_source
from borderline.preflight.configuration import Parameters

_FEWEST_OF_A_CLASS = 4


def check_source(source: SourceImages, parameters: Parameters) -> None:
    """Make sure that the source has the classes of the pair, and enough images of every class.

    Raises:
        BorderlineError: When it has not.
    """
    positive, negative = labels_of_pair(source, parameters.pair)
    check_counts(source)
    share, seed = parameters.pair.test_share, parameters.run.seed
    try:
        parts = split_source(source, share, seed)
        counts = [
            [int((part["labels"] == label).sum()) for label in (positive, negative)]
            for part in parts
        ]
    except ValueError:  # a share so near to 0 or 1 that a class gets no image
        counts = [[0]]
    fewest = min(min(part) for part in counts)
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


def check_same_images(source_digest: str, former: Entry, folder: str) -> None:
    """Make sure that the results on disk are of the images that the source now holds.

    Args:
        source_digest: The digest of the source's images.
        former: What the ledger has about the images; empty for nothing.
        folder: Where the results are, for the message.

    Raises:
        BorderlineError: When they are of others.
    """
    if former.get("digest", source_digest) != source_digest:
        raise BorderlineError(
            f"source holds other images than those that the results in {folder} were made with: "
            "set dataset in conf/<env>/globals.yml to a name of its own, which gives the run "
            "folders of its own, or move that folder away."
        )

"""Checks that a run's inputs exist, its images suffice and its results can be written."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from borderline import ledger
from borderline.datasets.buckets import address_of, is_bucket
from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.datasets.own_images import OwnFiles
    from borderline.ledger import Entry
    from borderline.params import Pairing
    from borderline.preflight.configuration import Globals, Parameters

logger = logging.getLogger(__name__)

_FEWEST_OF_A_CLASS = 4


def check_inputs(
    pipeline: Pipeline,
    catalog: DataCatalog,
    stages: Mapping[str, Pipeline],
    requested: Iterable[str],
    command: str,
) -> None:
    """Check that the results of earlier stages are there; else name the command that makes them."""
    missing = _missing(pipeline, catalog)
    if not missing:
        return
    named = set(requested) & set(stages)
    needed: set[str] = set()
    gap = missing
    while gap:
        makers = {name for name in stages if stages[name].all_outputs() & gap} - needed
        if not makers:
            break
        needed |= makers
        gap = _missing(sum((stages[name] for name in needed), Pipeline([])), catalog)
    shown = sorted(missing)[0]
    first = next(name for name in stages if name in (needed or stages))
    # The stages between take the results of the first one, so they run again too.
    remedy = ledger.again(stages, pipeline, first, command)
    raise BorderlineError(
        f"{' and '.join(sorted(named) or ['This run'])} needs {shown!r}, which an earlier stage "
        f"makes and which is not there yet: run `{remedy}`."
    )


def check_comparison(
    pipeline: Pipeline, catalog: DataCatalog, parameters: Parameters, pairing: Pairing
) -> None:
    """Check that a comparison has two different models, and that the other run has finished."""
    other = parameters.other_run
    if not pairing.elsewhere and pairing.this == pairing.other:
        raise BorderlineError(
            f"compare.other is {pairing.other!r}, and so is compare.this: name another model of "
            "grid.models, or another finished run with other_run.data_folder."
        )
    missing = sorted(n for n in _missing(pipeline, catalog) if n.startswith("other_run."))
    if missing:
        dataset: Any = catalog.get(missing[0])
        raise BorderlineError(
            f"other_run.data_folder is {other.data_folder!r}, but no finished run with a model "
            f"{pairing.other!r} is there ({dataset._filepath} is missing): correct it, "
            "other_run.case or compare.other, or finish that run."
        )


def check_answers(catalog: DataCatalog) -> None:
    """Check that the files of raters' answers can be read; the rating checks their pages."""
    from borderline.pipelines.rating.answers import read_file

    folder: Any = catalog.get("rating_answers")
    answers = folder.load()
    for file, text in answers.items():
        read_file(file, text)
    logger.info("Files of answers in %s: %s", folder.path, ", ".join(answers) or "none")


def check_own_images(own: OwnFiles, pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Check that images of the user suit the run, and that its results do not lie among them."""
    for name in pipeline.all_outputs():
        if name.endswith(".own_images_figure"):
            figure, folder = address_of(catalog.get(name)), own.path
            if not is_bucket(folder):
                figure, folder = (str(Path(path).resolve()) for path in (figure, folder))
            # Else the next run would explain the figure of this one.
            if figure.startswith(f"{folder.rstrip('/')}/"):
                raise BorderlineError(
                    f"images is {own.path!r}, but the results of the run lie in it and would be "
                    "explained too: name a folder that holds your images only."
                )
    own.check(catalog.load("pair_test")["images"].shape[1:])


def check_study_storage(pipeline: Pipeline, catalog: DataCatalog, about: Globals) -> None:
    """Check that the database of the searches can be opened, or that their files are whole."""
    searches = [name for name in pipeline.inputs() if name.endswith("study_storage")]
    if not searches:
        return
    from borderline.datasets import StudyStorage

    try:
        if about.study_storage is not None:
            StudyStorage(filepath="", url=about.study_storage).load()
            return
        for name in searches:
            store = catalog.get(name)
            if isinstance(store, StudyStorage):
                store.check()
    except DatasetError as error:
        raise BorderlineError(str(error)) from error


def check_source(source: SourceImages, parameters: Parameters) -> None:
    """Check that the source has the classes of the pair, and enough images of every class."""
    from borderline.pipelines.classifier.pairs import check_counts, labels_of_pair, split_numbers
    from borderline.preflight.epochs import check_images
    from borderline.preflight.groups import check_groups

    positive, negative = labels_of_pair(source, parameters.pair)
    check_counts(source)
    check_groups(source, parameters)
    share, seed = parameters.pair.test_share, parameters.run.seed_for("test images")
    try:
        counts = [
            [int((images["labels"] == label).sum()) for label in (positive, negative)]
            for images in split_numbers(source, share, seed)
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
    check_images(source, parameters, images)


def digest_of_images(source: SourceImages) -> str:
    """A fingerprint of all images and labels of a source."""
    from borderline.datasets.tensors import digest
    from borderline.records import tensors_of

    splits = [split for split in (source.train, source.test) if split is not None]
    return digest(*(tensor for split in splits for tensor in tensors_of(split)))


def words_of_source(about: Globals) -> dict[str, Any]:
    """The settings of the source that change words and columns, but no image."""
    source = about.names()["source"]
    return {name: source.get(name) for name in ("classes", "name", "columns")}


def digest_of_words(source: SourceImages) -> str:
    """A fingerprint of what a source says beside its images and labels: names and columns."""
    tables = (source.train_columns, source.test_columns)
    columns = ["" if table is None else table.to_csv(index=False) for table in tables]
    return sha256(repr([source.name, source.classes, *columns]).encode()).hexdigest()[:16]


def check_same_images(source_digest: str, dataset: str, former: Entry, folder: str) -> None:
    """Check that the results on disk were made with the images that the source now holds.

    They were also made for this dataset: two datasets whose names have ``_`` can share a folder.
    """
    if former.get("dataset", dataset) != dataset:
        raise BorderlineError(
            f"dataset is {dataset!r}, but the folders of this run in {folder} hold the results of "
            f"the dataset {former['dataset']!r}, whose name and pair are written alike: set "
            "dataset in conf/<env>/globals.yml to another name."
        )
    if former.get("digest", source_digest) != source_digest:
        raise BorderlineError(
            f"source holds other images or groups than those that the results in {folder} were "
            "made with: set dataset in conf/<env>/globals.yml to another name, which gives the run "
            "folders of its own, or move that folder away."
        )


def _missing(pipeline: Pipeline, catalog: DataCatalog) -> set[str]:
    return {
        name
        for name in pipeline.inputs()
        if not name.startswith("params:") and name != "parameters" and not catalog.exists(name)
    }

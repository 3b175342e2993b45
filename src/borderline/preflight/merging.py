"""Checks of the suites that ``suite.merge`` adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from borderline.errors import BorderlineError, sentence_in

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.preflight.configuration import Parameters


def check_merged(
    pipeline: Pipeline, catalog: DataCatalog, parameters: Parameters, source: SourceImages | None
) -> None:
    """Check that the suites are whole, fit the run, and do not contradict each other.

    Args:
        pipeline: The nodes of the run.
        catalog: The datasets.
        parameters: All settings.
        source: The images, if the run takes them; else those of the last run count.

    Raises:
        BorderlineError: When one does not.
    """
    from borderline.pipelines.suite.merged import MERGED

    if MERGED not in pipeline.inputs() or not parameters.suite.merge:
        return
    from borderline.suites.folder import suite_of
    from borderline.suites.merging import check_same, merge

    try:
        suites = {folder: suite_of(files, folder) for folder, files in catalog.load(MERGED).items()}
        ours = _of_run(catalog, parameters, source)
        for folder, suite in suites.items():
            theirs = suite.about.positive, suite.about.negative, suite.about.shape
            check_same(ours, "of this run", theirs, folder)
        merge(list(suites.values()), list(suites))
    except (BorderlineError, DatasetError) as error:
        # Kedro wraps the errors of datasets.
        raise BorderlineError(f"suite.merge: {sentence_in(error) or error}") from error


def _of_run(
    catalog: DataCatalog, parameters: Parameters, source: SourceImages | None
) -> tuple[str, str, tuple[int, ...]]:
    """The names of the positive and the negative class, and the shape of an image."""
    if source is not None:
        from borderline.pipelines.classifier.pairs import labels_of_pair

        positive, negative = labels_of_pair(source, parameters.pair)
        names = source.classes[positive], source.classes[negative]
        return *names, tuple(source.train["images"].shape[1:])
    names = catalog.load("pair_names")
    images = catalog.load(f"{parameters.grid.models[0]}.prototypes")["images"]
    return names["positive"], names["negative"], tuple(images.shape[1:])

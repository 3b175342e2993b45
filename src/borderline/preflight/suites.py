"""Checks of the suites that the gate replays, and of those that a new suite merges."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from borderline.errors import BorderlineError, sentence_in
from borderline.measures.class_names import ClassNames

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.preflight.configuration import Parameters
    from borderline.suites.suite import Suite

logger = logging.getLogger(__name__)

_FINDINGS = ".findings"


def check_suites(
    pipeline: Pipeline,
    catalog: DataCatalog,
    parameters: Parameters,
    source: SourceImages | None,
) -> None:
    """Check that the suites of ``gate.suites`` and ``suite.merge`` are whole, and fit the run.

    Args:
        pipeline: The nodes of the run.
        catalog: The datasets.
        parameters: All settings.
        source: The images, if the run takes them; else those of the last run count.

    Raises:
        BorderlineError: When one does not, or when suites to merge contradict each other.
    """
    from borderline.pipelines.gate.suites import SUITES, check_has_limit, doubts_about
    from borderline.pipelines.suite.merged import MERGED
    from borderline.suites.merging import merge

    if SUITES in pipeline.inputs():
        with _about("gate.suites"):
            suites = _suites(catalog, SUITES, parameters, source)
            for folder, suite in suites.items():
                check_has_limit(suite, folder, parameters.gate)
        for folder, suite in suites.items():
            for doubt in doubts_about(suite, folder, parameters.gate):
                logger.warning(doubt)
    if MERGED in pipeline.inputs():
        with _about("suite.merge"):
            if suites := _suites(catalog, MERGED, parameters, source):
                merge(list(suites.values()), list(suites))


@contextmanager
def _about(setting: str) -> Iterator[None]:
    """Errors name the setting that they are about."""
    try:
        yield
    except (BorderlineError, DatasetError) as error:
        # Kedro wraps the errors of datasets.
        raise BorderlineError(f"{setting}: {sentence_in(error) or error}") from error


def check_findings_of_gate(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Check that a replay of suites beside limits of findings has these findings."""
    from borderline.pipelines.gate.suites import SUITES

    if SUITES not in pipeline.inputs():
        return
    for name in sorted(name for name in pipeline.inputs() if name.endswith(_FINDINGS)):
        model = name.removesuffix(_FINDINGS)
        if f"{model}.classifier" in pipeline.all_outputs() or not catalog.exists(name):
            raise BorderlineError(
                f"gate.limits has limits of the findings about {model}, which are not there, or "
                "not about the model of this run: set gate.limits to null to replay the suites "
                "only (--params gate.limits=null), or run all stages first."
            )


def _suites(
    catalog: DataCatalog, dataset: str, parameters: Parameters, source: SourceImages | None
) -> dict[str, Suite]:
    """The suites of a dataset by folder, each of the classes and the image shape of the run."""
    from borderline.suites.fitting import check_fits
    from borderline.suites.folder import suites_of

    suites = suites_of(catalog.load(dataset))
    if suites:
        names, shape = _of_source(source, parameters) if source else _of_last_run(catalog)
        for folder, suite in suites.items():
            check_fits(suite, folder, names, shape)
    return suites


def _of_source(source: SourceImages, parameters: Parameters) -> tuple[ClassNames, Sequence[int]]:
    from borderline.pipelines.classifier.pairs import labels_of_pair

    positive, negative = labels_of_pair(source, parameters.pair)
    names = ClassNames(source.classes[negative], source.classes[positive])
    return names, source.train["images"].shape[1:]


def _of_last_run(catalog: DataCatalog) -> tuple[ClassNames, Sequence[int]]:
    images: Any = catalog.get("pair_test")
    return ClassNames.of(catalog.load("pair_names")), images.shapes()["images"][1:]

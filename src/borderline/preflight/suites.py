"""Checks of the suites that the gate replays."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from borderline.errors import BorderlineError, sentence_in
from borderline.measures.class_names import ClassNames

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.preflight.configuration import Parameters

logger = logging.getLogger(__name__)

_FINDINGS = ".findings"


def check_suites(
    pipeline: Pipeline,
    catalog: DataCatalog,
    parameters: Parameters,
    source: SourceImages | None,
) -> None:
    """Check that all suites are whole, and fit the run; without effect if it replays none.

    Args:
        pipeline: The nodes of the run.
        catalog: The datasets.
        parameters: All settings.
        source: The images, if the run takes them; else those of the last run count.

    Raises:
        BorderlineError: When one does not.
    """
    from borderline.pipelines.gate.suites import SUITES, check_suite, doubt_about, read_suites

    if SUITES not in pipeline.inputs():
        return
    names, shape = _of_source(source, parameters) if source else _of_last_run(catalog)
    try:
        suites = read_suites(catalog.load(SUITES))
    except (BorderlineError, DatasetError) as error:
        # Kedro wraps the errors of datasets.
        raise BorderlineError(f"gate.suites: {sentence_in(error) or error}") from error
    for folder, suite in suites.items():
        check_suite(suite, folder, names, shape, parameters.gate)
        if doubt := doubt_about(suite, folder):
            logger.warning(doubt)


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


def _of_source(source: SourceImages, parameters: Parameters) -> tuple[ClassNames, Sequence[int]]:
    from borderline.pipelines.classifier.pairs import labels_of_pair

    positive, negative = labels_of_pair(source, parameters.pair)
    names = ClassNames(source.classes[negative], source.classes[positive])
    return names, source.train["images"].shape[1:]


def _of_last_run(catalog: DataCatalog) -> tuple[ClassNames, Sequence[int]]:
    images: Any = catalog.get("pair_test")
    return ClassNames.of(catalog.load("pair_names")), images.shapes()["images"][1:]

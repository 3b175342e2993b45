"""Checks of imported models and generators before the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from borderline.errors import BorderlineError
from borderline.grid import Layout
from borderline.imported.catalog import IMPORTED_FILE
from borderline.imported.import_path import digest_of_source
from borderline.imported.params import ImportedModelParams
from borderline.pipelines.prototypes.params import WITHOUT_GRADIENTS
from borderline.preflight.configuration import Parameters, imported_generators, imported_models

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.imported.classifier import ImportedClassifier


def digests_of_imports(
    catalog: DataCatalog, parameters: Parameters, layout: Layout, running: Pipeline
) -> dict[str, str]:
    """The digests of imported files and their code, by dataset name, for the ledger.

    A file that no node of this run loads may be missing.
    """
    sources = {
        f"{model}.{IMPORTED_FILE}": source for model, source in imported_models(parameters).items()
    }
    for model in layout.models:
        for generator, source in imported_generators(layout).items():
            sources[f"{model}.{generator}.{IMPORTED_FILE}"] = source
    digests = {}
    for name, source in sources.items():
        try:
            digests[name] = digest_of_source(source, catalog.load(name))
        except (BorderlineError, DatasetError):
            if name in running.inputs():
                raise
    return digests


def check_imports(
    catalog: DataCatalog,
    pipeline: Pipeline,
    source: SourceImages,
    parameters: Parameters,
    layout: Layout,
) -> None:
    """Try the imported models and generators of a pipeline on real images."""
    if not any(name.endswith(f".{IMPORTED_FILE}") for name in pipeline.inputs()):
        return
    from borderline.imported.classifier import BlindJudge, ImportedClassifier
    from borderline.imported.probe import check_contract, check_model
    from borderline.pipelines.classifier.pairs import images_of_pair, labels_of_pair

    positive, negative = labels_of_pair(source, parameters.pair)
    real = images_of_pair(source.train, positive, negative)
    shape = tuple(real["images"].shape[1:])
    for model in layout.imported:
        name = f"{model}.{IMPORTED_FILE}"
        params = parameters.models[model]
        if name not in pipeline.inputs() or not isinstance(params, ImportedModelParams):
            continue
        check_contract(params.input, model, shape)
        content: bytes = catalog.load(name)
        with _under(f"models.{model}"):
            classifier = ImportedClassifier(params, content, shape, BlindJudge())
        check_model(model, classifier, real, parameters.run.torch_device())
        _check_gradients(model, classifier, parameters, layout)
    for generator, (settings, _) in layout.generators.items():
        name = f"{layout.models[0]}.{generator}.{IMPORTED_FILE}"
        if name in pipeline.inputs():
            with _under(f"generators.{generator}"):
                settings.check_file(catalog.load(name), shape)


@contextmanager
def _under(setting: str) -> Iterator[None]:
    """Prefix the sentences of errors, which begin with a setting, with its group."""
    try:
        yield
    except BorderlineError as error:
        raise BorderlineError(f"{setting}.{error}") from error


def _check_gradients(
    model: str, classifier: ImportedClassifier, parameters: Parameters, layout: Layout
) -> None:
    if classifier.differentiable:
        return
    remedy = f"import {model} as a PyTorch model (state_dict, torch_export or torchscript)"
    for name, (settings, _) in layout.generators.items():
        if settings.needs_gradients:
            raise BorderlineError(
                f"grid.generators is {name!r}, of kind {settings.kind!r}, which follows the "
                f"gradients of the model, but models.{model} has none: {remedy}, or remove {name}; "
                "latent_search and pixel_bisection need no gradients."
            )
    explanation = parameters.prototypes.explanation
    if not explanation.methods_of(has_gradients=False):
        raise BorderlineError(
            f"prototypes.explanation.methods is {list(explanation.methods)}, which all need "
            f"gradients, but models.{model} has none: {remedy}, or add {WITHOUT_GRADIENTS!r}."
        )

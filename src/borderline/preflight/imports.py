"""Checks of imported models and generators before the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from borderline.boundary import OperatingPoint
from borderline.errors import BorderlineError
from borderline.grid import JUDGE, Layout
from borderline.imported.catalog import IMPORTED_FILE, PRETRAINED
from borderline.imported.import_path import digest_of_code, digest_of_source
from borderline.imported.params import ImportedJudgeParams, ImportedModelParams
from borderline.ledger import CODE
from borderline.measures.judges import check_more_than_features
from borderline.pipelines.prototypes.params import WITHOUT_GRADIENTS
from borderline.preflight.configuration import (
    Parameters,
    imported_generators,
    imported_judge,
    imported_models,
)
from borderline.preflight.epochs import check_number
from borderline.preflight.reading import check_feature_width
from borderline.preflight.repairs import check_finetuning, trains_repairs
from borderline.training.params import LibraryModelParams

if TYPE_CHECKING:
    import torch

    from borderline.datasets.image_source import SourceImages
    from borderline.imported.classifier import ImportedClassifier
    from borderline.records import LabelledImages

JUDGE_FILE = f"{JUDGE}.{IMPORTED_FILE}"
"""The dataset of the file of an imported judge."""


def digests_of_imports(
    catalog: DataCatalog, parameters: Parameters, layout: Layout, running: Pipeline
) -> dict[str, str]:
    """The digests of imported files and their code, by dataset name, for the ledger.

    ``<dataset>.code`` has that of :func:`~borderline.imported.import_path.digest_of_code`. A file
    that no node of this run loads may be missing.
    """
    sources = {
        f"{model}.{IMPORTED_FILE}": source for model, source in imported_models(parameters).items()
    }
    for model in layout.models:
        for generator, source in imported_generators(layout).items():
            sources[f"{model}.{generator}.{IMPORTED_FILE}"] = source
    judge = imported_judge(parameters)
    if judge is not None:
        sources[JUDGE_FILE] = judge
    digests = {}
    for name, source in sources.items():
        try:
            digests[name] = digest_of_source(source, catalog.load(name))
            if code := digest_of_code(source):
                digests[f"{name}{CODE}"] = code
        except (BorderlineError, DatasetError):
            if name in running.inputs():
                raise
    # Others may have to be downloaded.
    for name in {f"{model}.{PRETRAINED}" for model in layout.pretrained} & running.inputs():
        digests[name] = hashlib.sha256(catalog.load(name)).hexdigest()
    return digests


def check_library_models(
    catalog: DataCatalog,
    pipeline: Pipeline,
    source: SourceImages,
    parameters: Parameters,
    layout: Layout,
) -> None:
    """Make sure that the library models that a pipeline trains are there and fit the images."""
    made, shape = pipeline.all_outputs(), tuple(source.train["images"].shape[1:])
    for name in layout.trained:
        model = parameters.models[name]
        if f"{name}.classifier_checkpoints" in made and isinstance(model, LibraryModelParams):
            from borderline.datasets.library_networks import check_network

            weights: bytes = catalog.load(f"{name}.{PRETRAINED}") if model.pretrained else b""
            with _under(f"models.{name}"):
                check_network(model.kind, model.name, model.size, shape, weights)


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

    labels = labels_of_pair(source, parameters.pair)
    real = images_of_pair(source.train, *labels)
    shape = tuple(real["images"].shape[1:])
    if JUDGE_FILE in pipeline.inputs():
        _check_judge(catalog.load(JUDGE_FILE), real, labels, len(source.classes), parameters)
    for model in layout.imported:
        name = f"{model}.{IMPORTED_FILE}"
        params = parameters.models[model]
        if name not in pipeline.inputs() or not isinstance(params, ImportedModelParams):
            continue
        check_contract(params.input, f"models.{model}", shape)
        content: bytes = catalog.load(name)
        with _under(f"models.{model}"):
            classifier = ImportedClassifier(params, content, shape, BlindJudge())
        device, threshold = parameters.run.torch_device(), parameters.confusion.known_threshold
        check_model(f"models.{model}", classifier, real, device, threshold)
        if f"{model}.boundary" in pipeline.all_outputs() and threshold is None:
            _check_boundary(classifier, source, parameters, device)
        if "classifier" in layout.epoch_judges:
            width, noise = _width(classifier, real, device), parameters.generation.test_noise
            of_all = layout.epoch_reference == "all"
            count = len((source.train if of_all else real)["labels"])
            check_more_than_features("classifier", width, noise, count)
        _check_gradients(model, classifier, parameters, layout)
        if trains_repairs(model, pipeline):
            check_finetuning(model, classifier, layout)
    for generator, (settings, _) in layout.generators.items():
        name = f"{layout.models[0]}.{generator}.{IMPORTED_FILE}"
        if name in pipeline.inputs():
            with _under(f"generators.{generator}"):
                settings.check_file(catalog.load(name), real["images"])


def _check_judge(
    content: bytes,
    real: LabelledImages,
    labels: tuple[int, int],
    classes: int,
    parameters: Parameters,
) -> None:
    from borderline.imported.judge import ImportedJudge
    from borderline.imported.probe import check_contract, check_judge

    params = parameters.judge
    assert isinstance(params, ImportedJudgeParams)
    shape = tuple(real["images"].shape[1:])
    check_contract(params.input, JUDGE, shape)
    with _under(JUDGE):
        judge = ImportedJudge(params, content, shape)
    columns, device = params.columns or labels, parameters.run.torch_device()
    width = check_judge(JUDGE, judge, real, columns, classes, device)
    check_feature_width(parameters, width)
    check_number(parameters, width)


def check_operating_point(pipeline: Pipeline, source: SourceImages, parameters: Parameters) -> None:
    """Check that the validation images can tell the operating point of ``confusion.threshold``."""
    point = parameters.confusion.threshold
    if isinstance(point, OperatingPoint) and any(
        name.endswith(".boundary") for name in pipeline.all_outputs()
    ):
        from borderline.pipelines.classifier.pairs import validation_of
        from borderline.training.thresholds import check_count

        split = parameters.pair, parameters.classifier, parameters.run
        check_count(point, validation_of(source, *split)["labels"])


def _check_boundary(
    classifier: ImportedClassifier,
    source: SourceImages,
    parameters: Parameters,
    device: torch.device,
) -> None:
    """Check that the model has a threshold for the operating point, and that the band fits it."""
    from borderline.measures.inference import predict_real
    from borderline.pipelines.classifier.pairs import validation_of
    from borderline.training.thresholds import boundary_of

    split = parameters.pair, parameters.classifier, parameters.run
    images = validation_of(source, *split)
    boundary_of(
        parameters.confusion, predict_real(classifier, images["images"], device), images["labels"]
    )


def _width(classifier: ImportedClassifier, real: LabelledImages, device: torch.device) -> int:
    from borderline.measures.inference import embed

    return embed(classifier, real["images"][:2], device).shape[1]


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

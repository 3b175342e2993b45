"""Whether models and generators from elsewhere do what is said of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline
from torch import nn

from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.grid import Layout
from borderline.imported.catalog import IMPORTED_FILE
from borderline.imported.classifier import BlindJudge, ImportedClassifier, digest_of_source
from borderline.imported.params import ImportedModelParams
from borderline.imported.probe import check_contract, check_model
from borderline.measures.inference import has_gradients
from borderline.pipelines.classifier.pairs import images_of_pair, labels_of_pair
from borderline.pipelines.gasten.imported_generator import ImportedGenerator, check_generator
from borderline.pipelines.gasten.kinds.imported import Settings as ImportedGeneratorParams
from borderline.pipelines.prototypes.params import WITHOUT_GRADIENTS
from borderline.preflight.configuration import Parameters, imported_generators, imported_models


def digests_of_imports(
    catalog: DataCatalog, parameters: Parameters, layout: Layout, running: Pipeline
) -> dict[str, str]:
    """What the files of imported models and generators hold, for the ledger.

    Args:
        catalog: Where they are.
        parameters: Every setting.
        layout: The grid.
        running: What is about to run; files that it does not take may be gone by now.

    Returns:
        A digest of each file, and of the code that goes with it, by the name of its dataset.

    Raises:
        BorderlineError: When a file that is needed cannot be read.
    """
    sources = {
        f"{model}.{IMPORTED_FILE}": own for model, own in imported_models(parameters).items()
    }
    for model, (generator, own) in itertools.product(
        layout.models, imported_generators(layout).items()
    ):
        sources[f"{model}.{generator}.{IMPORTED_FILE}"] = own
    found = {}
    for name, source in sources.items():
        try:
            found[name] = digest_of_source(source, catalog.load(name))
        except (BorderlineError, DatasetError):
            if name in running.inputs():
                raise
    return found


def check_imports(
    catalog: DataCatalog,
    pipeline: Pipeline,
    source: SourceImages,
    parameters: Parameters,
    layout: Layout,
) -> None:
    """Try the models and generators from elsewhere that a pipeline takes on real images.

    Raises:
        BorderlineError: When one cannot be read, does not what its settings say, or lacks the
            gradients that are asked for.
    """
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
        with _of_setting(f"models.{model}"):
            classifier = ImportedClassifier(params, content, shape, BlindJudge())
        check_model(model, classifier, real, parameters.run.torch_device())
        _check_gradients(model, classifier, parameters, layout)
    for generator, (settings, _) in layout.generators.items():
        name = f"{layout.models[0]}.{generator}.{IMPORTED_FILE}"
        if name in pipeline.inputs() and isinstance(settings, ImportedGeneratorParams):
            with _of_setting(f"generators.{generator}"):
                check_generator(ImportedGenerator(settings, catalog.load(name)), shape)


@contextmanager
def _of_setting(setting: str) -> Iterator[None]:
    """Sentences that begin with a setting, with the group that it is of before them."""
    try:
        yield
    except BorderlineError as error:
        raise BorderlineError(f"{setting}.{error}") from error


def _check_gradients(
    model: str, classifier: nn.Module, parameters: Parameters, layout: Layout
) -> None:
    if has_gradients(classifier):
        return
    remedy = f"import {model} as a model of PyTorch's (torch_export, torchscript or state_dict)"
    for name, (settings, _) in layout.generators.items():
        if settings.needs_gradients:
            raise BorderlineError(
                f"grid.generators is {name!r}, of kind {settings.kind!r}, which follows the "
                f"gradients of the model, but models.{model} has none: {remedy}, or leave {name} "
                "out, for latent_search and pixel_bisection need none."
            )
    explanation = parameters.prototypes.explanation
    if not explanation.methods_of(has_gradients=False):
        raise BorderlineError(
            f"prototypes.explanation.methods is {list(explanation.methods)}, which all need "
            f"gradients, but models.{model} has none: {remedy}, or add {WITHOUT_GRADIENTS!r}."
        )

"""Checks of the repair before the run: numbers of images, imported models, trainings on disk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline.datasets.limits import gigabytes, memory
from borderline.errors import BorderlineError
from borderline.grid import Layout
from borderline.imported.params import ImportedModelParams
from borderline.pipelines.repair.params import RepairParams, data_settings
from borderline.preflight.configuration import Parameters

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages
    from borderline.imported.classifier import ImportedClassifier

# The pools hold twice as many borderline images as an arm adds, once for each of three arms.
_COPIES = 6
_BYTES = 4
_NO_TRAINING = "onnx"


def trains_repairs(model: str, pipeline: Pipeline) -> bool:
    """Whether a pipeline trains a model for its repair."""
    return f"{model}.repair_trainings" in pipeline.all_outputs()


def check_repairs(
    catalog: DataCatalog, pipeline: Pipeline, parameters: Parameters, layout: Layout
) -> None:
    """Make sure that the models of a repair can be trained, and that trainings on disk fit.

    An imported model that this run itself makes is checked with its file.

    Raises:
        BorderlineError: When a model cannot be trained, or when trainings have other settings.
    """
    for model in layout.models:
        if not trains_repairs(model, pipeline):
            continue
        params = parameters.models[model]
        if isinstance(params, ImportedModelParams):
            if params.source.kind == _NO_TRAINING:
                raise _no_repair(model, "an ONNX file runs outside of PyTorch", layout)
            if f"{model}.classifier" in pipeline.inputs():
                check_finetuning(model, catalog.load(f"{model}.classifier"), layout)
        _check_trainings(f"{model}.repair_trainings_so_far", catalog, parameters)


def check_numbers(pipeline: Pipeline, source: SourceImages, repair: RepairParams) -> None:
    """Make sure that the memory can hold the images that a repair generates.

    Raises:
        BorderlineError: When it cannot.
    """
    if not any(name.endswith((".repair_images", ".fresh")) for name in pipeline.all_outputs()):
        return
    shape, there = source.train["images"].shape[1:], memory()
    of_image = _BYTES * math.prod(shape)
    for setting, count, copies in (("images", repair.images, _COPIES), ("fresh", repair.fresh, 1)):
        if count * copies * of_image > there:
            raise BorderlineError(
                f"repair.{setting} is {count:,}, but so many images of "
                f"{' x '.join(map(str, shape))} values take at least "
                f"{gigabytes(count * copies * of_image)} of memory, and this machine has "
                f"{gigabytes(there)}: set it to at most {there // (copies * of_image):,}; "
                "a few hundred are usual."
            )


def check_finetuning(model: str, classifier: ImportedClassifier, layout: Layout) -> None:
    """Make sure that an imported model can be fine-tuned.

    Raises:
        BorderlineError: When it cannot.
    """
    from borderline.imported.finetuned import fault_of_finetuning

    if fault := fault_of_finetuning(classifier):
        raise _no_repair(model, fault, layout)


def _no_repair(model: str, fault: str, layout: Layout) -> BorderlineError:
    others = [other for other in layout.models if other != model and other not in layout.repaired]
    leave_out = (
        ", or leave it out (--pipelines repair --namespaces repair,"
        f"{','.join(f'{other}.repair' for other in others)})"
        if others
        else ""
    )
    return BorderlineError(
        f"grid.models names {model!r}, which cannot be repaired, because it cannot be fine-tuned "
        f"({fault}): import {model} as a PyTorch model with weights of type float32 (state_dict, "
        f"torch_export or torchscript){leave_out}."
    )


def _check_trainings(name: str, catalog: DataCatalog, parameters: Parameters) -> None:
    from borderline.datasets.checkpoints import CheckpointFolder, check_settings

    folder, repair = catalog.get(name), parameters.repair
    assert isinstance(folder, CheckpointFolder)
    settings = {
        **data_settings(repair),
        # Only trainings of imported models, and of the arm of changed copies, have these.
        **repair.finetuning.fingerprint("repair.finetuning"),
        **repair.augmentation.fingerprint("repair.augmentation"),
    }
    for load in folder.load().values():
        check_settings(load(), settings, where=folder.path)

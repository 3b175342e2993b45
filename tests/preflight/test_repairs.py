from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from borderline.datasets import CheckpointFolder
from borderline.errors import BorderlineError
from borderline.grid import Layout
from borderline.imported.classifier import ImportedClassifier
from borderline.pipelines.repair.params import RepairParams
from borderline.preflight.repairs import check_numbers, check_repairs
from borderline.training.params import ModelParams
from conftest import base_settings, imported_model
from elsewhere import SOURCES

SHAPE = (1, 12, 12)
REPAIR = RepairParams.model_validate(base_settings()["repair"])
TRAINED = ModelParams(kind="cnn", filters=1, allow_chance=True)


def check(
    folder: Path,
    params: Any,
    classifier: Any = None,
    models: tuple[str, ...] = ("theirs",),
    repair: RepairParams = REPAIR,
    output: str = "theirs.repair_trainings",
) -> None:
    nodes = [Node(lambda _: None, "theirs.classifier", output)]
    datasets = {
        "theirs.classifier": MemoryDataset(classifier),
        "theirs.repair_trainings_so_far": CheckpointFolder(path=str(folder), may_be_empty=True),
    }
    parameters: Any = SimpleNamespace(repair=repair, models=dict.fromkeys(models, TRAINED))
    parameters.models["theirs"] = params
    check_repairs(DataCatalog(datasets), Pipeline(nodes), parameters, Layout(models=models))


def test_onnx_is_refused_by_its_settings(tmp_path: Path) -> None:
    params = imported_model(source={"kind": "onnx", **SOURCES["onnx"]}, outputs="logits")
    words = (
        r"^grid.models names 'theirs', which cannot be repaired.*ONNX.*import theirs as a PyTorch "
        r"model.*leave it out \(--pipelines repair --namespaces repair,cnn_2.repair,mlp.repair\)\.$"
    )
    with pytest.raises(BorderlineError, match=words):
        check(tmp_path, params, models=("cnn_2", "theirs", "mlp"))
    with pytest.raises(BorderlineError, match=r"torchscript\)\.$"):
        check(tmp_path, params)
    # A run that only scores the trainings needs no gradients.
    check(tmp_path, params, output="theirs.repair_table")


def test_function_is_refused(tmp_path: Path) -> None:
    params = imported_model(
        source={"kind": "callable", "import_path": "elsewhere.Seeded"}, outputs="logits"
    )
    with pytest.raises(BorderlineError, match=r"'theirs'.*shows no weights"):
        check(tmp_path, params, ImportedClassifier(params, b"", SHAPE))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"fresh": 7}, "repair.fresh is 7, but the checkpoints in .* were made with 400"),
        ({"augmentation": {"degrees": 5, "translate": 0, "scale": [1, 1]}}, "augmentation.degrees"),
        ({"finetuning": {"epochs": 9, "learning_rate": 1, "batch_size": 9}}, None),
        ({"seeds": 9}, None),
    ],
)
def test_trainings_of_other_settings_are_refused(
    changed: dict[str, Any], words: str | None, tmp_path: Path
) -> None:
    settings = {"repair.fresh": 400, "repair.augmentation.degrees": 10.0, "classifier.epochs": 2}
    checkpoint = {"epoch": 1, "settings": settings, "history": [], "state": {"p": torch.zeros(2)}}
    CheckpointFolder(path=str(tmp_path)).save({"augmented_seed_1": checkpoint})  # type: ignore[typeddict-item]
    repair = RepairParams.model_validate({**base_settings()["repair"], **changed})
    if words is None:
        check(tmp_path, TRAINED, repair=repair)
        return
    with pytest.raises(BorderlineError, match=words):
        check(tmp_path, TRAINED, repair=repair)


@pytest.mark.parametrize("setting", ["images", "fresh"])
def test_more_images_than_the_memory_holds_are_refused(setting: str) -> None:
    source: Any = SimpleNamespace(train={"images": torch.zeros(1, 3, 32, 32)})
    many = REPAIR.model_copy(update={setting: 10**12})
    for output in ("theirs.repair_images", "theirs.fresh"):
        pipeline = Pipeline([Node(lambda _: None, "theirs.classifier", output)])
        check_numbers(pipeline, source, REPAIR)
        words = rf"^repair.{setting} is 1,000,000,000,000, but so many images of 3 x 32 x 32 values"
        with pytest.raises(BorderlineError, match=words):
            check_numbers(pipeline, source, many)
    # Generated images that are there already take no more.
    check_numbers(Pipeline([Node(lambda _: None, "a", "theirs.repair_table")]), source, many)

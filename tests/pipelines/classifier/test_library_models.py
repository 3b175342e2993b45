"""Models by name: they train, resume with the same bits, are stored, and are refused in time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline
from safetensors.torch import save

from borderline.datasets import ModelDataset, PretrainedWeights, library_networks
from borderline.datasets.checkpoints import Checkpoint, epoch_name
from borderline.errors import BorderlineError
from borderline.grid import Layout, node
from borderline.params import PairParams, RunParams
from borderline.pipelines.classifier import nodes
from borderline.preflight.imports import check_library_models
from borderline.records import LabelledImages, take_rows
from borderline.training.epochs import batches
from borderline.training.networks import build_library_model
from borderline.training.params import (
    LibraryModelParams,
    ModelParams,
    TrainingParams,
    classifier_settings,
)
from conftest import ROOT, start_kedro

CATALOG = DataCatalog({"m.pretrained_weights": MemoryDataset(b"x")})
TRAINING = TrainingParams(
    epochs=3, batch_size=47, learning_rate=1e-3, validation_share=0.2, patience=3
)


def params(**changed: Any) -> LibraryModelParams:
    settings = {"kind": "timm", "name": "resnet10t", "size": None, "pretrained": False}
    return LibraryModelParams(**{**settings, "weights": None, "allow_chance": True, **changed})


class Tiny(torch.nn.Module):
    """A network with batch norm and dropout in the shape of a library's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.drop(self.norm(self.conv(images).amax((2, 3), keepdim=True)).flatten(1))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> LibraryModelParams:
    """A network of a tenth of a second, in place of torchvision's."""
    monkeypatch.setattr(library_networks, "_names", lambda _: {"tiny"})
    monkeypatch.setattr(library_networks, "_of_torchvision", lambda _: (Tiny(), 4))
    return params(kind="torchvision", name="tiny")


def train(
    images: LabelledImages, model: Any, pair: PairParams, run: RunParams, so_far: Any = None, **more
) -> list[Checkpoint]:
    outputs = nodes.train_classifier(
        images, so_far or {}, **more, model=model, classifier=TRAINING, pair=pair, run=run
    )
    return [state for saved, _ in outputs for state in saved.values()]


def equal(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_training_with_dropout_and_batch_norm_resumes_with_the_same_bits(
    tiny: LibraryModelParams, pair_images: LabelledImages, pair: PairParams, run: RunParams
) -> None:
    whole = train(pair_images, tiny, pair, run)  # 48 images: the last batch would have one
    torch.rand(5)  # other draws between the epochs change nothing
    so_far = {epoch_name(1): lambda: whole[0]}
    resumed = train(pair_images, tiny, pair, run, so_far)
    assert [c["epoch"] for c in resumed] == [1, 2, 3]
    assert equal(resumed[-1]["state"]["network"], whole[-1]["state"]["network"])


def test_only_batch_norm_gets_a_single_last_image_with_the_batch_before() -> None:
    rows = torch.arange(7)
    assert [part.tolist() for part in batches(rows, 3, Tiny())] == [[0, 1, 2], [3, 4, 5, 6]]
    assert list(map(len, batches(rows, 3, torch.nn.Linear(1, 1)))) == [3, 3, 1]
    assert list(map(len, batches(rows[:1], 3, Tiny()))) == [1]


@pytest.mark.parametrize(
    ("kind", "name", "width"),
    [("timm", "test_resnet", 96), ("torchvision", "shufflenet_v2_x0_5", 1024)],
)
def test_model_of_a_library_takes_grey_and_colour_and_is_stored_without_code(
    kind: Any, name: str, width: int, tmp_path: Path
) -> None:
    if kind == "timm":
        pytest.importorskip("timm")
    model = build_library_model(kind, name, None).eval()
    for channels in (1, 3):
        images = torch.rand(3, channels, 28, 28)
        assert model(images).shape == (3,)
        assert torch.equal(model.head(model.embed(images))[:, 0], model(images))
    assert model.head.in_features == width
    dataset = ModelDataset(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(model)
    assert torch.equal(dataset.load()(images), model(images))


def test_size_resizes_in_front_of_the_model(tiny: LibraryModelParams) -> None:
    model = build_library_model(tiny.kind, tiny.name, 16).eval()
    seen: list[torch.Tensor] = []
    model.features.network.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))  # type: ignore[operator, union-attr]
    model(torch.ones(1, 1, 8, 8))
    white = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert seen[0].shape == (1, 3, 16, 16)
    torch.testing.assert_close(seen[0].mean((0, 2, 3)), white)


def test_size_may_be_height_and_width(tiny: LibraryModelParams, tmp_path: Path) -> None:
    model = build_library_model(tiny.kind, tiny.name, (16, 48)).eval()
    seen: list[torch.Size] = []
    model.features.network.register_forward_hook(  # type: ignore[operator, union-attr]
        lambda _, inputs, __: seen.append(inputs[0].shape[-2:])
    )
    images = torch.rand(2, 1, 16, 48)
    # Height and width are compared, not one of both.
    for given in (images, images[..., :16], images.mT):
        model(given)
    assert seen == [(16, 48)] * 3
    dataset = ModelDataset(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(model)
    assert torch.equal(dataset.load()(images), model(images))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "resnt18"}, r"m\.name is 'resnt18' \(did you mean 'resnet18'\?\)"),
        ({"name": "vit_b_16"}, r"m\.size is None, but vit_b_16 .* cannot take images of 12x12"),
        ({"name": "vit_b_16", "size": [32, 64]}, r"m\.size is \[32, 64\], but .* of 32x64 pixels"),
        ({"name": "squeezenet1_0"}, r"m\.name is 'squeezenet1_0', but this network ends in no lin"),
        ({"name": "mnasnet0_5", "pretrained": True}, "m.weights is no whole safetensors file"),
        ({"kind": "timm", "name": "x"}, r"m\.kind is 'timm', but .*pip install 'borderline\[timm"),
    ],
)
def test_models_that_cannot_be_trained_are_refused_before_the_run(
    changed: dict[str, str],
    words: str,
    pair_images: LabelledImages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # not installed
    parameters: Any = SimpleNamespace(models={"m": params(**{"kind": "torchvision", **changed})})
    outputs = ["m.classifier_checkpoints", "m.classifier_history_table"]
    pipeline, source = Pipeline([node(nodes.train_classifier, outputs)]), SimpleNamespace()
    source.train = pair_images
    with pytest.raises(BorderlineError, match=rf"models\.{words}"):
        check_library_models(CATALOG, pipeline, source, parameters, Layout(models=("m",)))  # type: ignore[arg-type]
    # A run of other stages does not care.
    check_library_models(CATALOG, Pipeline([]), source, parameters, Layout(models=("m",)))  # type: ignore[arg-type]


def test_pretrained_weights_are_the_start_and_enter_the_fingerprint(
    tiny: LibraryModelParams,
    pair_images: LabelledImages,
    pair: PairParams,
    run: RunParams,
    tmp_path: Path,
) -> None:
    content = save({**Tiny().state_dict(), "fc.weight": torch.zeros(1000, 4)})
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    weights = PretrainedWeights(kind="timm", name="x", filepath=str(path), setting="s").load()
    few = take_rows(pair_images, slice(20))
    one, other = (train(few, tiny, pair, run, **more) for more in ({}, {"pretrained": weights}))
    assert not equal(one[0]["state"]["network"], other[0]["state"]["network"])
    others = save(Tiny().state_dict())
    with pytest.raises(BorderlineError, match="pretrained weights of model changed"):
        train(few, tiny, pair, run, {epoch_name(1): lambda: other[0]}, pretrained=others)
    for bad, words in ((save({}), "conv.weight is missing"), (b"x", "no whole safetensors file")):
        with pytest.raises(BorderlineError, match=words):
            train(few, tiny, pair, run, pretrained=bad)


@pytest.mark.parametrize("kind", ["timm", "torchvision"])
def test_failed_download_says_how_to_go_on(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(_: str) -> bytes:
        raise OSError("Name or service\nnot known")

    monkeypatch.setattr(library_networks, "_names", lambda _: {"x"})
    monkeypatch.setattr(library_networks, f"_download_of_{kind}", offline)
    dataset = PretrainedWeights(kind=kind, name="x", filepath=None, setting="models.m.weights")
    words = (
        r"models\.m\.pretrained is True, but .*\(Name or service not known\).* models\.m\.weights"
    )
    with pytest.raises(DatasetError, match=words):
        dataset.load()


def test_weights_need_pretrained() -> None:
    with pytest.raises(ValueError, match="weights is set, but pretrained is False"):
        params(weights="x.safetensors")


def test_own_epochs_and_learning_rate_take_the_place_of_those_of_all_models(
    pair_images: LabelledImages, pair: PairParams, run: RunParams
) -> None:
    plain = ModelParams(kind="mlp", filters=1, allow_chance=True)
    own = plain.model_copy(update={"epochs": 1, "learning_rate": 0.1})
    assert plain.training(TRAINING) == TRAINING
    assert own.training(TRAINING).learning_rate == 0.1
    assert len(train(pair_images, own, pair, run)) == 1
    assert len(train(pair_images, plain, pair, run)) == 3
    # At the default, checkpoints have the settings that they had before there were these two.
    settings = classifier_settings(run, pair, plain, TRAINING)
    assert {name for name in settings if name.startswith("model.")} == {
        "model.kind",
        "model.filters",
    }
    assert settings["classifier.learning_rate"] == 1e-3
    assert classifier_settings(run, pair, own, TRAINING)["classifier.learning_rate"] == 0.1


def test_pretrained_weights_are_an_input_with_a_place_in_the_catalog() -> None:
    start_kedro()
    recipe = {"kind": "timm", "name": "resnet18", "pretrained": True, "weights": "w.safetensors"}
    params = {"models": {"fine": recipe}, "grid": {"models": ["cnn_2", "fine"]}}
    with KedroSession.create(ROOT, runtime_params=params) as session:
        context = session.load_context()
    assert context.layout.pretrained == ("fine",)
    inputs = {node.name: node.inputs for node in pipelines["classifier"].nodes}
    assert "fine.pretrained_weights" in inputs["fine.classifier.train_classifier"]
    assert not any("pretrained" in name for name in inputs["cnn_2.classifier.train_classifier"])
    weights = context.catalog.get("fine.pretrained_weights")
    assert weights._describe()["filepath"] == str(ROOT / "w.safetensors")


def test_stored_model_without_its_library_names_the_extra(
    tiny: LibraryModelParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = ModelDataset(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(build_library_model(tiny.kind, tiny.name, None))

    def missing(_: str) -> set[str]:
        raise ModuleNotFoundError

    monkeypatch.setattr(library_networks, "_names", missing)
    with pytest.raises(DatasetError, match=r"pip install 'borderline\[timm\]'"):
        dataset.load()

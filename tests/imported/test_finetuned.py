from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from kedro.io import DatasetError
from torch import Tensor, nn

from borderline.datasets import ModelDataset
from borderline.imported.classifier import ImportedClassifier
from borderline.imported.finetuned import FinetunedClassifier, fault_of_finetuning
from conftest import imported_model
from elsewhere import SOURCES, Net, Wandering, onnx_file, saved

SHAPE = (1, 12, 12)
SHARED = Net().eval()
TRAINABLE = [*(kind for kind in SOURCES if kind != "onnx"), "pickle of a module with hooks"]


def images(count: int = 6) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def imported(kind: str, model: nn.Module | None = None, **changed: Any) -> ImportedClassifier:
    torch.manual_seed(0)
    if kind.startswith("pickle of"):
        kind, model = "pickle", Wandering()
    content = saved(kind, (model or Net()).eval(), images()) if kind in SOURCES else b""
    source = {"kind": kind, **SOURCES.get(kind, {}), **changed.pop("source", {})}
    params = imported_model(**{"source": source, "outputs": "logits", **changed})
    return ImportedClassifier(params, content, SHAPE)


def train(classifier: FinetunedClassifier, target: float, steps: int = 3) -> None:
    classifier.train()
    optimiser = torch.optim.Adam(classifier.parameters(), lr=0.02)
    targets = torch.full((6,), target)
    for _ in range(steps):
        loss = nn.functional.binary_cross_entropy_with_logits(classifier(images()), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.mark.parametrize("kind", TRAINABLE)
def test_training_changes_the_copy_and_not_the_model(kind: str) -> None:
    classifier = imported(kind)
    x = images()
    logits, embeddings = classifier(x), classifier.embed(x)
    assert fault_of_finetuning(classifier) == ""
    finetuned = FinetunedClassifier.of(classifier)
    assert torch.equal(finetuned(x), logits)
    train(finetuned, 1.0)
    assert (finetuned(x) > logits).all()
    assert not torch.equal(finetuned.embed(x), embeddings)
    assert torch.equal(classifier(x), logits)
    assert torch.equal(classifier.embed(x), embeddings)


@pytest.mark.parametrize("kind", TRAINABLE)
def test_it_is_stored_copied_and_pickled_bit_for_bit(kind: str, tmp_path: Path) -> None:
    finetuned = FinetunedClassifier.of(imported(kind), {"repair.arm": "boundary"})
    train(finetuned, 0.0)
    x = images()
    dataset = ModelDataset(filepath=str(tmp_path / "x.safetensors"), trust=True)
    dataset.save(finetuned)
    dataset.check("")
    copies = dataset.load(), copy.deepcopy(finetuned), pickle.loads(pickle.dumps(finetuned))
    for again in copies:
        assert type(again) is FinetunedClassifier
        assert torch.equal(again(x), finetuned(x))
        assert torch.equal(again.embed(x), finetuned.embed(x))
        assert again.settings == finetuned.settings
        assert again.settings["repair.arm"] == "boundary"


def test_file_without_the_tag_of_the_project_is_not_read_where_its_model_has_code(
    tmp_path: Path,
) -> None:
    dataset = ModelDataset(filepath=str(tmp_path / "x.safetensors"))
    dataset.save(FinetunedClassifier.of(imported("torchscript")))
    with pytest.raises(DatasetError, match="can run code on your machine"):
        dataset.load()


def test_batch_norm_and_dropout_stay_as_in_evaluation() -> None:
    norm = nn.BatchNorm2d(1)
    model = nn.Sequential(norm, nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 2))
    finetuned = FinetunedClassifier.of(imported("pickle", model))
    before = finetuned.state_dict()["network.module.0.running_mean"].clone()
    train(finetuned, 1.0)
    x = images()
    assert torch.equal(finetuned(x), finetuned(x))
    after = finetuned.state_dict()
    assert torch.equal(after["network.module.0.running_mean"], before)
    assert not torch.equal(after["network.module.0.weight"], norm.weight)


def test_module_that_a_project_shares_is_left_alone() -> None:
    classifier = imported("callable", source={"import_path": "imported.test_finetuned.SHARED"})
    before = copy.deepcopy(SHARED.state_dict())
    train(FinetunedClassifier.of(classifier), 1.0)
    assert all(torch.equal(before[name], weight) for name, weight in SHARED.state_dict().items())


@pytest.mark.parametrize(
    ("kind", "model", "changed", "words"),
    [
        ("callable", None, {"source": {"import_path": "elsewhere.Seeded"}}, "shows no weights"),
        ("pickle", Net().half(), {"input": {"dtype": "float16"}}, "weights of type float16"),
        ("pickle", Net().requires_grad_(False), {}, ""),
    ],
    ids=["function", "half precision", "frozen by its author"],
)
def test_fault_of_a_model_that_cannot_be_trained(
    kind: str, model: nn.Module | None, changed: dict[str, Any], words: str
) -> None:
    fault = fault_of_finetuning(imported(kind, model, **changed))
    assert words in fault
    assert bool(words) == bool(fault)


def test_fault_of_onnx() -> None:
    params = imported_model(
        source={"kind": "onnx", **SOURCES["onnx"]}, outputs="logits", embedding="judge"
    )
    content = onnx_file(["n", *SHAPE], {"logits": "logits"})
    classifier = ImportedClassifier(params, content, SHAPE, nn.Identity())
    assert fault_of_finetuning(classifier) == "an ONNX file runs outside of PyTorch"


def test_weights_of_another_file_are_refused() -> None:
    classifier = imported("state_dict")
    weights = FinetunedClassifier.of(classifier).made_of[1]["weights"]
    with pytest.raises(ValueError, match="are not those of the file"):
        FinetunedClassifier.of(classifier, weights=dict(list(weights.items())[1:]))

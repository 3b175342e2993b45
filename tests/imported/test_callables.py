"""Functions of users: what may come back, and faults in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import elsewhere
from borderline.errors import BorderlineError
from borderline.imported.classifier import BlindJudge, ImportedClassifier
from conftest import imported_model

SHAPE = (1, 12, 12)


def images(count: int = 6) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def classifier_of(import_path: str, **changed: Any) -> ImportedClassifier:
    source = {"kind": "callable", "import_path": import_path}
    settings = {"source": source, "outputs": "logits", "embedding": "judge", **changed}
    return ImportedClassifier(imported_model(**settings), b"", SHAPE, BlindJudge())


@pytest.fixture
def giving(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ImportedClassifier]:
    """Makes the model of a function."""

    def make(function: Callable[[Tensor], Any], **changed: Any) -> ImportedClassifier:
        monkeypatch.setattr(elsewhere, "sides", function)
        return classifier_of("elsewhere.sides", **changed)

    return make


def test_what_arrives(giving: Callable[..., ImportedClassifier]) -> None:
    seen: list[Tensor] = []
    giving(lambda x: seen.append(x) or x.flatten(1)[:, :2])(images())
    assert seen[0].shape == (6, *SHAPE)
    assert seen[0].dtype == torch.float32
    torch.testing.assert_close(seen[0], (images() + 1) / 2)


RESULTS: dict[str, Callable[[Tensor], Any]] = {
    "tensor": lambda x: x,
    "float64": lambda x: x.numpy().astype(np.float64),
    "float16": lambda x: x.half(),
    "list": lambda x: x.tolist(),
    "list of arrays": lambda x: list(x.numpy()),
    "reversed array": lambda x: x.numpy()[:, ::-1][:, ::-1],
    "tuple": lambda x: (x, x.mean()),
    "object": lambda x: SimpleNamespace(logits=x, loss=None),
    "object of arrays": lambda x: SimpleNamespace(logits=x.numpy()),
    "mapping": lambda x: {"loss": None, "logits": x},
    "map of one place": lambda x: x[:, :, None, None],
    "row of a row": lambda x: x[:, None],
    "tuple of arrays": lambda x: (x.numpy(), x.numpy()[:, :1]),
}


@pytest.mark.parametrize("result", RESULTS)
def test_what_may_come_back(result: str, giving: Callable[..., ImportedClassifier]) -> None:
    model = giving(lambda x: RESULTS[result](x.flatten(1)[:, :2]))
    with torch.no_grad():
        outputs = model.outputs(images())
    assert outputs.dtype == torch.float32
    expected = (images().flatten(1)[:, :2] + 1) / 2
    torch.testing.assert_close(outputs, expected, atol=1e-3, rtol=1e-3)


def test_result_on_another_device(giving: Callable[..., ImportedClassifier]) -> None:
    model = giving(lambda x: torch.zeros(len(x), 2))
    assert model.outputs(images().to("meta")).device.type == "meta"


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "it gives a None, and no tensor or array of numbers"),
        ({"scores": 1}, "it gives a dict with scores, and no tensor"),
        ([[1.0], [1.0, 2.0]], "it gives a list, and no tensor"),
        ("cat", "it gives a str, and no tensor"),
        (np.array([1, 0]), "type int64, which holds labels"),
        (torch.tensor([True]), "type bool, which holds labels"),
    ],
)
def test_what_may_not_come_back(
    result: Any, words: str, giving: Callable[..., ImportedClassifier]
) -> None:
    with pytest.raises(TypeError, match=words):
        giving(lambda x: result)(images())


def test_weights_of_a_function_are_unknown(giving: Callable[..., ImportedClassifier]) -> None:
    assert giving(lambda x: x).weights is None


FAULTY = """import torch

def logits(images):
    return helper(images)

def helper(images):
    return torch.cat([images, 3])

class NeedsAFile:
    def __init__(self):
        open("nowhere.txt")

def embed(images):
    raise KeyError("layer")
"""


def test_fault_is_shown_with_the_line_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faulty_code.py").write_text(FAULTY)
    (tmp_path / "unfinished_code.py").write_text("x = 1\ndef logits(images):\n    return (\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    place = r"TypeError: .*, faulty_code.py:7: return torch.cat\(\[images, 3\]\)$"
    with pytest.raises(BorderlineError, match=place):
        classifier_of("faulty_code.logits")(images())
    with pytest.raises(BorderlineError, match=r"KeyError: 'layer', faulty_code.py:14: raise Key"):
        classifier_of("faulty_code.logits", embedding="faulty_code.embed").embed(images())
    with pytest.raises(BorderlineError, match=r"arguments is .*faulty_code.py:11: open\("):
        classifier_of("faulty_code.NeedsAFile")
    with pytest.raises(BorderlineError, match=r"import_path is .*unfinished_code.py:3: return \("):
        classifier_of("unfinished_code.logits")


def test_fault_that_is_not_the_users_stays_as_it_is() -> None:
    source = {"kind": "callable", "import_path": "torch.nn.Linear", "arguments": {}}
    source["arguments"] = {"in_features": 3, "out_features": 2}
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        classifier_of("", source=source)(images())

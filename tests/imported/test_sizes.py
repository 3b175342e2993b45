"""A usual size of a model's images is asked about where it fits better than theirs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported import sizes
from borderline.imported.choices import Question
from borderline.imported.columns import Pair, assignments
from borderline.imported.contracts import Fit, Material, Trial
from borderline.imported.sizes import choose_size

PAIR = Pair(("boot", "sneaker"), 1, 0)
LABELS = torch.arange(40) % 2


def material(**declared: Any) -> Material:
    network: Any = SimpleNamespace(declared=lambda: declared)
    real: Any = {"images": torch.zeros(40, 1, 28, 28), "labels": LABELS}
    return Material({}, b"", real, PAIR, network, {})


def outputs_for(_: Material, contract: dict[str, Any], images: Tensor) -> Tensor:
    """A model of images of 64 pixels, less sure at 28, that refuses those of 224."""
    if contract.get("size") == 224:
        raise BorderlineError("no images of this size")
    signs = LABELS[: len(images)].float() * 2 - 1
    wrong = 1 if contract.get("size") in (64, [32, 96]) else 12
    signs[:wrong] *= -1
    return torch.stack([-signs, signs], 1)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "outputs_for", outputs_for)
    monkeypatch.setattr(sizes, "trial_images", lambda real, most: (real["images"], LABELS))


def fit(**contract: Any) -> Fit:
    outputs = outputs_for(material(), contract, torch.zeros(40, 1, 28, 28))
    trial = Trial("[0, 1]", {"range": [0, 1], **contract}, outputs, LABELS)
    return Fit(trial, "logits", assignments(2, PAIR, None)[0])


@pytest.mark.parametrize(("answer", "size"), [(0, 64), (1, None)])
def test_size_that_fits_better_is_asked_about(answer: int, size: int | None) -> None:
    asked: list[Question] = []

    def ask(question: Question) -> int:
        asked.append(question)
        return answer

    chosen = choose_size(material(), fit(), ask)
    assert chosen.trial.contract.get("size") == size
    assert "39 of 40 images correct with [0, 1], resized to 64x64" in asked[0].options[0]
    assert "--input-size 64" in asked[0].refusal
    assert "28x28 (39 and 28 of 40 correct)" in asked[0].refusal


def test_usual_sizes_in_the_proportions_of_the_images_are_tried() -> None:
    wide, asked = material(), []
    wide.real["images"] = torch.zeros(40, 1, 16, 48)

    def ask(question: Question) -> int:
        asked.append(question)
        return 0

    chosen = choose_size(wide, fit(), ask)
    # The model is as good with squares of 64 pixels, which are tried first.
    assert chosen.trial.contract["size"] == 64
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sizes, "SIZES", (32, 224))
        chosen = choose_size(wide, fit(), ask)
    assert chosen.trial.contract["size"] == [32, 96]
    assert chosen.trial.contract["fit"]
    assert "--input-size 32,96." in asked[1].refusal
    assert "those of 16x48" in asked[1].refusal


@pytest.mark.parametrize(("contract", "declared"), [({"size": 32}, {}), ({}, {"size": 28})])
def test_known_size_is_kept(contract: dict[str, Any], declared: dict[str, Any]) -> None:
    known = fit(**contract)
    assert choose_size(material(**declared), known, lambda _: pytest.fail("asked")) is known

"""The kinds of outputs of a model, and the outputs that are refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.outputs import Outputs, check_scores, kind_of_outputs

SCORES = torch.linspace(-4, 4, 128)
P = SCORES.sigmoid()
TWO = torch.stack([1 - P, P], 1)
BITS = (SCORES > 0).float()


@pytest.mark.parametrize(
    ("kind", "outputs", "words"),
    [
        ("probability", BITS, ["only whole numbers (0, 1) for 128 real images", "labels"]),
        ("probability", BITS[:, None], ["whole numbers", "predict_proba"]),
        ("probability", BITS * 0.9 + 0.05, ["only 2 different numbers (0.05, 0.95)"]),
        ("probability", (P * 2).round() / 2, ["only 3 different numbers (0, 0.5, 1)"]),
        ("probability", P * 100, ["from 1.8 to 98.2", "'logit'", "divide it by 100"]),
        ("probabilities", torch.stack([1 - BITS, BITS], 1), ["whole numbers (0, 1)", "argmax"]),
        ("probabilities", TWO * 100, ["sum to 100", "percentages"]),
        ("logit", BITS * 2 - 1, ["whole numbers (-1, 1)", "labels"]),
        ("logit", (BITS * 4 + 3), ["whole numbers (3, 7)", "labels"]),
        ("logits", torch.stack([1 - BITS, BITS], 1), ["whole numbers (0, 1)"]),
        ("logits", TWO, ["sum to 1", "set it to 'probabilities'"]),
        ("logits", TWO * 100, ["sum to 100", "percentages"]),
        ("logits", TWO.square(), ["one sigmoid per class", "softmax"]),
    ],
)
def test_labels_and_outputs_of_another_kind(
    kind: Outputs, outputs: Tensor, words: list[str]
) -> None:
    with pytest.raises(BorderlineError) as error:
        check_scores("models.mine.outputs", kind, outputs)
    for word in [f"models.mine.outputs is {kind!r}", *words]:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("probability", P),
        ("probability", (P * 10).round() / 10),
        ("probabilities", TWO),
        ("logit", SCORES),
        ("logits", TWO.log()),
        ("logits", torch.stack([SCORES, -SCORES], 1)),
        ("logits", torch.tensor([[0.3, -0.2]]).expand(8, -1)),  # No labels; an error of its own.
    ],
)
def test_scores_are_accepted(kind: Outputs, outputs: Tensor) -> None:
    check_scores("models.mine.outputs", kind, outputs)


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        (P[:, None], "probability"),
        (SCORES[:, None], "logit"),
        (TWO, "probabilities"),
        (TWO.log(), "logits"),
    ],
)
def test_kind_follows_from_the_values(outputs: Tensor, kind: str) -> None:
    assert kind_of_outputs(outputs) == kind


def test_sigmoids_of_several_classes_are_no_logits() -> None:
    with pytest.raises(BorderlineError, match="2 numbers from 0 to 1 that do not sum to 1"):
        kind_of_outputs(torch.stack([P, P], 1))

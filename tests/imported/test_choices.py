"""Columns and contracts are chosen by their likelihood, or asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.choices import Question, choose_columns, choose_contract
from borderline.imported.columns import Pair, assignments
from borderline.imported.contracts import (
    USUAL,
    Fit,
    Trial,
    fits_of,
    normalisation_of,
    usual_contracts,
)
from borderline.imported.outputs import kind_of_outputs
from conftest import BOUNDARY

CLOTHES = Pair(("ankle boot", "bag", "shirt", "sneaker"), 0, 2)
DIGITS = Pair(tuple("0123456789"), 7, 1)
LABELS = torch.arange(128) % 2
NAMES = list(USUAL)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def scores(width: int, positive: int, negative: int, wrong: int = 10, sure: float = 6) -> Tensor:
    """Logits of a model with these columns; ``wrong`` of 128 images are wrong."""
    signs = (LABELS * 2 - 1).float()
    signs[:wrong] *= -1
    outputs = noise(128, width) * 0.3
    outputs[:, positive] += sure * (signs > 0)
    outputs[:, negative] += sure * (signs < 0)
    return outputs


def trials(*outputs: Tensor) -> list[Trial]:
    named = zip(USUAL.items(), outputs, strict=False)
    return [Trial(name, contract, scores, LABELS) for (name, contract), scores in named]


def never(question: Question) -> int:
    raise AssertionError(question.text)


def answer(number: int, asked: list[Question]) -> Callable[[Question], int]:
    def ask(question: Question) -> int:
        asked.append(question)
        return number

    return ask


def chosen(
    outputs: Tensor,
    pair: Pair,
    ask: Callable[[Question], int] = never,
    columns: tuple[int, ...] = (),
    allow_chance: bool = False,
) -> Fit:
    kind = kind_of_outputs(outputs)
    return choose_columns(trials(outputs), kind, pair, columns, ask, allow_chance).fits[0]


def test_columns_have_the_names_of_their_classes() -> None:
    known = assignments(4, CLOTHES, None)
    assert str(known[0]) == "column 0: ankle boot (positive), column 2: shirt (negative)"
    # Sorted by length, as an earlier version of this program did.
    assert known[1].columns == (3, 1)
    assert [one.columns for one in known if one.exchanged] == [(2, 0), (1, 3)]
    assert [one.columns for one in assignments(2, DIGITS, None)] == [(1, 0), (0, 1)]
    high, low = map(str, assignments(1, DIGITS, None))
    assert (high, low) == ("one output: high for 7, low for 1", "one output: high for 1, low for 7")


@pytest.mark.parametrize(("columns", "others"), [((0, 2), (3, 1)), ((3, 1), (0, 2))])
def test_order_of_the_training_is_found(columns: tuple[int, int], others: tuple[int, int]) -> None:
    outputs = scores(4, *columns, wrong=0)
    # The columns of the other order tell the two classes apart too, by chance.
    outputs[:, others[0]] += LABELS * 2 - 5
    outputs[:, others[1]] -= 4
    choice = choose_columns(trials(outputs), "logits", CLOTHES, (), never)
    assert choice.fits[0].assignment.columns == columns
    assert choice.fits[0].right == 128
    assert choice.runner_up is not None
    assert choice.runner_up.assignment.columns == others
    assert choice.runner_up.right > 120


def test_two_orders_that_fit_equally_well_are_asked_for() -> None:
    outputs = scores(4, 0, 2)
    outputs[:, 3], outputs[:, 1] = outputs[:, 0], outputs[:, 2]
    asked: list[Question] = []
    assert chosen(outputs, CLOTHES, answer(1, asked)).assignment.columns == (3, 1)
    (question,) = asked
    assert [option.split(":")[0] for option in question.options] == ["column 0", "column 3"]
    assert "118 of 128 images correct" in question.options[0]
    assert "--columns 0,2" in question.refusal


@pytest.mark.parametrize("after", ["logits", "probabilities"])
def test_exchanged_columns_are_offered(after: str) -> None:
    outputs = scores(2, 0, 1)
    outputs = outputs if after == "logits" else outputs.softmax(1)
    asked: list[Question] = []
    assert chosen(outputs, DIGITS, answer(0, asked)).assignment.columns == (0, 1)
    assert "exchanged: 118 of 128 correct, and 10 as they are" in asked[0].refusal
    assert "column 0: 7 (positive), column 1: 1 (negative)" in asked[0].options[0]
    assert "--columns 0,1" in asked[0].refusal
    with pytest.raises(BorderlineError, match=r"10 of 128 .* no better than guessing"):
        chosen(outputs, DIGITS, answer(1, []))
    assert chosen(outputs, DIGITS, never, (0, 1)).right == 118
    with pytest.raises(BorderlineError, match=r"10 of 128.*exchanged: 118 of 128.*--columns 0,1"):
        chosen(outputs, DIGITS, never, (1, 0))


def test_single_output_for_the_negative_class_exchanges_the_classes() -> None:
    outputs = scores(2, 0, 1)
    outputs = (outputs[:, 1] - outputs[:, 0])[:, None]
    for values in (outputs, outputs.sigmoid()):
        with pytest.raises(BorderlineError, match=r"exchanged: 118 of 128.*--positive and --neg"):
            chosen(values, DIGITS)
    assert chosen(-outputs, DIGITS).right == 118


def test_columns_of_no_usual_order_are_asked_for() -> None:
    outputs = scores(4, 1, 2)
    outputs[:, 0] += LABELS * 2  # The usual columns are better than guessing too.
    asked: list[Question] = []
    assert chosen(outputs, CLOTHES, answer(0, asked)).assignment.columns == (1, 2)
    assert "no usual order" in asked[0].options[0]
    assert chosen(outputs, CLOTHES, never, (0, 2)).assignment.columns == (0, 2), "as named"


def test_weak_model_that_confuses_classes_is_no_question() -> None:
    outputs = scores(4, 0, 2, sure=1)
    outputs[:, 1] += 1.2 * LABELS
    assert chosen(outputs, CLOTHES).assignment.columns == (0, 2)


def test_model_that_guesses_is_refused_unless_it_is_allowed() -> None:
    outputs = scores(2, 1, 0, wrong=63)
    with pytest.raises(BorderlineError, match=r"65 of 128 .*no better than guessing"):
        chosen(outputs, DIGITS)
    assert chosen(outputs, DIGITS, allow_chance=True).assignment.columns == (1, 0)


def test_model_that_decides_at_another_threshold_is_told_so() -> None:
    outputs = scores(2, 1, 0).softmax(1)[:, 1:] * 0.3
    with pytest.raises(
        BorderlineError, match=r"threshold of 0\.5 \(with .*, 1\d\d\): name --thres"
    ):
        chosen(outputs, DIGITS)


def test_logarithm_of_one_class_is_named() -> None:
    outputs = scores(2, 1, 0).log_softmax(1)[:, 1:]
    with pytest.raises(BorderlineError, match=r"logarithms of probabilities, whose exponential"):
        chosen(outputs, DIGITS)


def test_percentage_of_one_class_is_named() -> None:
    outputs = scores(2, 1, 0).softmax(1)[:, 1:] * 100
    with pytest.raises(BorderlineError, match=r"no better than guessing .*divided by 100"):
        chosen(outputs, DIGITS)


def test_unknown_number_of_classes_needs_columns_and_suggests_them() -> None:
    with pytest.raises(BorderlineError, match=r"gives 12 classes.*--columns.*column 11: 7.*118 of"):
        chosen(scores(12, 11, 4), DIGITS)


def contract(*logits: Tensor, ask: Callable[[Question], int] = never) -> str:
    assignment = assignments(1, DIGITS, None)[0]
    fits = fits_of(trials(*(one[:, None] for one in logits)), "logit", assignment)
    return choose_contract(fits, NAMES, BOUNDARY, ask).name


def test_contract_is_chosen_by_likelihood_and_not_by_accuracy() -> None:
    signs = (LABELS * 2 - 1).float()
    sure = signs * 4 + noise(128)
    sure[:3] *= -0.1
    half = signs * 0.05 + noise(128) * 0.01
    assert int((half.sign() == signs).sum()) > int((sure.sign() == signs).sum())
    assert contract(half, half, sure) == "[-1, 1]"


def test_contract_that_is_too_sure_is_not_preferred() -> None:
    signs = (LABELS * 2 - 1).float()
    logits = signs * 6 + noise(128)
    assert (logits.sign() == signs).all()
    # Pixels in [0, 255] multiply the logits: all are right, and the likelihood is a little higher.
    assert contract(logits, -logits, -logits, logits * 255) == "[0, 1]"
    logits[0] *= -1
    assert contract(logits, -logits, -logits, logits * 255) == "[0, 1]"
    assert contract(logits / 255, -logits, -logits, logits) == "[0, 255]"


def test_equal_contracts_with_other_probabilities_are_asked_for() -> None:
    signs = (LABELS * 2 - 1).float()
    logits = signs * 1.5 + noise(128) * 1.5
    other = logits[torch.arange(128).roll(2)]  # The same likelihood, of other images.
    asked: list[Question] = []
    assert contract(logits, other, ask=answer(1, asked)) == NAMES[1]
    assert "--input-range" in asked[0].refusal
    assert "% borderline" in asked[0].options[0]
    # A model that is less sure than it could be: larger pixels make it more sure.
    weak = logits * 0.4
    assert contract(weak, other * 1.2, ask=answer(0, asked)) == NAMES[1]
    assert len(asked[1].options) == 2


def test_equal_contracts_with_the_same_probabilities_are_no_question() -> None:
    logits = (LABELS * 2 - 1) * 2 + noise(128)
    assert contract(logits, logits, logits + 1e-3) == NAMES[0]


def test_mean_and_std_of_the_images_are_asked_for_where_they_fit_better() -> None:
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 1
    ((name, contract),) = normalisation_of(images).items()
    assert name == "the mean and std of the images (0.2476 and 0.1437)"
    assert contract == {"range": [0, 1], "mean": [0.2476], "std": [0.1437]}
    logits = ((LABELS * 2 - 1) * 4 + noise(128))[:, None]
    assignment, asked = assignments(1, DIGITS, None)[0], list[Question]()
    for usual, own in ((logits * 0.1, logits), (logits, logits * 0.1)):
        both = [Trial("[0, 1]", {}, usual, LABELS), Trial(name, contract, own, LABELS)]
        fits = fits_of(both, "logit", assignment)
        choice = choose_contract(fits, ["[0, 1]", name], BOUNDARY, answer(0, asked))
        assert choice.name == (name if own is logits else "[0, 1]")
    assert len(asked) == 1
    assert "0.2476 and 0.1437" in asked[0].refusal


def test_imagenet_is_most_usual_for_the_libraries_that_trained_on_it() -> None:
    assert next(iter(usual_contracts({}))) == "[0, 1]"
    of_library = usual_contracts({"import_path": "torchvision.models.resnet18"})
    assert next(iter(of_library)) == "ImageNet's mean and std"
    assert len(of_library) == 4


def test_both_orders_of_two_classes_are_usual_for_two_columns() -> None:
    """A binary model may have its positive class in column 1, or its columns by name."""
    for positive, negative in ((0, 1), (1, 0)):
        pair = Pair(("cat", "dog"), positive, negative)
        known = {a.columns: a.exchanged for a in assignments(2, pair, None)}
        assert known[1, 0] is False
        assert known[positive, negative] is False
    of_many = {a.columns: a.exchanged for a in assignments(2, Pair(("a", "b", "c"), 0, 1), None)}
    assert of_many == {(1, 0): False, (0, 1): True}

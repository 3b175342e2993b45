from __future__ import annotations

from typing import Any

import pytest

from borderline.errors import BorderlineError
from borderline.verdicts.people import ANSWERS, answer_of_most, answers_of

COUNTS = dict(zip(ANSWERS, (1, 2, 0, 3), strict=True))


def test_answers_to_other_images_are_refused() -> None:
    human_labels = {"made_for": "these", "answers": {"7": COUNTS}}
    assert answers_of(human_labels, {}, "these", 8) == {7: [1, 2, 0, 3]}
    assert answers_of({}, {}, "these", 8) == {}
    with pytest.raises(BorderlineError, match=r"human_labels\.json .* --pipelines rating"):
        answers_of(human_labels, {}, "others", 8)


def test_a_rating_of_an_earlier_version_is_not_passed_over() -> None:
    with pytest.raises(BorderlineError, match=r"human_labels\.json does not have .* rating"):
        answers_of({}, {"made_for": "these"}, "these", 8)


@pytest.mark.parametrize(
    "answers",
    [
        *(None, ["positive"], {"x": {}}, {"0": {"positive": 1}}, {"0": [1, 0, 0, 0]}),
        *({"8": COUNTS}, {"-1": COUNTS}, {"0": dict.fromkeys(ANSWERS, 0)}, {"01": COUNTS}),
        *({"0": COUNTS | {"neither": value}} for value in (0.5, -1, float("inf"), "1", 10**400)),
        {"0": COUNTS | {"seven": 3}},
    ],
)
def test_answers_in_another_form_are_refused(answers: object) -> None:
    with pytest.raises(BorderlineError, match=r"human_labels\.json does not fit"):
        answers_of({"made_for": "these", "answers": answers}, {}, "these", 8)


@pytest.mark.parametrize("human_labels", [[1], "positive", 5, {"answers": {}}])
def test_a_file_without_answers_is_refused(human_labels: Any) -> None:
    with pytest.raises(BorderlineError, match=r"human_labels\.json does not fit"):
        answers_of(human_labels, {}, "these", 8)


@pytest.mark.parametrize(
    ("counts", "answer"),
    [
        ([2, 1, 0, 0], "positive"),
        ([0, 1, 0, 0], "negative"),
        ([1, 0, 2, 0], "neither"),
        ([0, 0, 0, 1], "cannot_tell"),
        ([1, 1, 0, 0], "cannot_tell"),
    ],
)
def test_the_most_frequent_answer_decides(counts: list[int], answer: str) -> None:
    assert answer_of_most(counts) == answer

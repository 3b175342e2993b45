from __future__ import annotations

import json
from typing import Any

import pytest

from borderline.errors import BorderlineError
from borderline.pipelines.rating.answers import Rater, raters_by_model, read_file
from borderline.pipelines.rating.items import fingerprint, ids_of
from raters import NAMES, answers_of, good, items_of, rated

ITEMS = {"a": items_of(rated()), "b": items_of(rated(), seed=1)}
PAGES = {model: fingerprint(items, NAMES) for model, items in ITEMS.items()}
IDS = {model: ids_of(items) for model, items in ITEMS.items()}


def file_of(rater: str = "anna", model: str = "a", **changed: Any) -> str:
    return json.dumps(json.loads(answers_of(ITEMS[model], rater, good)) | changed)


def first(text: str, count: int, **changed: Any) -> str:
    """The file after so many answers."""
    content = json.loads(text)
    content["answers"] = dict(list(content["answers"].items())[:count])
    return json.dumps(content | changed)


def raters(files: dict[str, str]) -> dict[str, list[Rater]]:
    return raters_by_model(files, PAGES, IDS)


def test_files_belong_to_the_model_of_their_page() -> None:
    slow = answers_of(ITEMS["a"], "ben", good, seconds=9)
    found = raters({"1.json": file_of(), "2.json": file_of(model="b"), "3.json": slow})
    names = {model: [rater.name for rater in of_model] for model, of_model in found.items()}
    assert names == {"a": ["anna", "ben"], "b": ["anna"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "x.json cannot be read"),
        ("[]", "x.json cannot be read"),
        ("", "x.json cannot be read"),
        (file_of(format=2), "format: input should be 1"),
        (file_of(answers={"q": {"answer": "maybe", "seconds": 1}}), "answers.q.answer"),
        (file_of(answers={"q": {"answer": "neither", "seconds": -1}}), "answers.q.seconds"),
        (file_of(answers={"q": {"answer": "neither", "seconds": 1, "x": 1}}), "answers.q.x"),
        (file_of("  "), "names no rater"),
        (file_of("x" * 61), "rater: string should have at most 60"),
    ],
)
def test_what_is_no_file_of_answers_is_refused(text: str, words: str) -> None:
    with pytest.raises(BorderlineError, match=words) as refused:
        read_file("x.json", text)
    assert "x.json" in str(refused.value)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_answers_to_another_page_are_refused() -> None:
    with pytest.raises(BorderlineError, match=r"x.json is of another page \(abc\) .*move it away"):
        raters({"x.json": file_of(page="abc")})


def test_unknown_items_are_refused() -> None:
    other = {"nothing": {"answer": "neither", "seconds": 1}}
    with pytest.raises(BorderlineError, match=r"x\.json has an answer to 'nothing'"):
        raters({"x.json": file_of(answers=other)})


@pytest.mark.parametrize("swap", [False, True])
def test_longer_file_of_a_rater_takes_the_place_of_the_shorter(swap: bool) -> None:
    texts = [first(file_of(), 5), file_of("Anna ")]
    found = raters(dict(zip(("1.json", "2.json"), texts[::-1] if swap else texts, strict=True)))
    (rater,) = found["a"]
    assert len(rater.answers) == len(IDS["a"])


def test_file_twice_counts_once_and_a_half_finished_one_counts() -> None:
    assert len(raters({"1.json": file_of(), "copy of 1.json": file_of()})["a"]) == 1
    (rater,) = raters({"1.json": first(file_of(), 5)})["a"]
    assert len(rater.answers) == 5


def test_two_raters_of_one_name_are_refused() -> None:
    other = answers_of(ITEMS["a"], "ANNA", lambda *_: "neither")
    with pytest.raises(BorderlineError, match=r"1\.json and 2\.json both have the rater 'ANNA'"):
        raters({"1.json": file_of(), "2.json": other})
    assert raters({"1.json": file_of(), "2.json": file_of(model="b")})["b"], "one for each model"


def test_copy_under_another_name_is_refused() -> None:
    with pytest.raises(BorderlineError, match="by 'anna' and 'ben': remove the copy"):
        raters({"1.json": file_of(), "2.json": file_of("ben")})

from __future__ import annotations

import pytest
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from borderline.suites.card import write_card
from borderline.suites.merging import merge
from borderline.suites.suite import Suite
from frozen import IMAGES, ambiguous, item, suite

HOSTILE = "<script>x</script> | [a](javascript:x) \n# head\x1b[31m `--- "


def test_card_has_the_counts_and_the_head_of_a_hub() -> None:
    text = write_card(suite())
    card = DatasetCard(text)
    assert card.data.license == "mit"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.task_categories == ["image-classification"]
    for words in (
        "A suite of 3 generated images",
        "| The model's weakness | 7 | the committee | 1 |",
        "| Ambiguous | none | the committee | 1 |",
        "| cnn_2 | 0.5 |",
        "| cnn_2 | 0 | 1 | 1 | 90 % | thinner |",
        "--params 'gate.suites=[path/to/this/folder],gate.limits=null'",
        "Left out: 3 unrealistic",
        "opinions",
    ):
        assert words in text
    assert "merges" not in text
    assert text == write_card(suite())


def test_card_says_who_decided() -> None:
    other = suite({0: item(0, label=0, label_source="people"), 3: ambiguous(3)})
    text = write_card(merge([suite(), other]))
    assert "| The model's weakness | 1 | people | 1 |" in text
    assert "On 1 image, people decided, and the committee of judges had another" in text
    assert "It merges 2 suites" in text


def test_patterns_of_two_runs_are_two_rows() -> None:
    run = suite().about.made_with[0]
    seed_1 = run.model_copy(update={"seed": 1, "left_out": {"More than suite.images": 2}})
    other = suite({1: item(1, committee_p=0.5)}, made_with=(seed_1,))
    text = write_card(merge([suite({0: item(0)}), other]))
    assert "on which earlier models were unsure" in text
    assert "| model | run | pattern | weaknesses |" in text
    assert "| cnn_2 | 1 (seed 0) | 0 | 1 | 0 | 90 % | thinner |" in text
    assert "| cnn_2 | 2 (seed 1) | 0 | 1 | 0 | 50 % | thinner |" in text
    assert "| cnn_2 | 1 (seed 0) | 0.5 |" in text
    assert "- Run 2, model cnn_2: " in text
    assert "Its own suite left out: 2 more than suite.images" in text
    assert "An image that one of these suites left out can come from another one." in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert text.count("---|---|---|---|---|---|---|") == 1
    assert len(MarkdownIt().enable("table").render(text).split("<tr>")) - 1 == len(tables) - 3


def test_suites_of_one_run_are_of_one_run() -> None:
    run = suite().about.made_with[0]
    more = run.model_copy(update={"left_out": {}})
    text = write_card(
        merge([suite({0: item(0)}), suite({0: item(0), 1: item(1)}, made_with=(more,))])
    )
    assert "| cnn_2 | 0 | 2 | 0 | 90 % | thinner |" in text
    assert "the model cnn_2 was" in text


def test_card_says_what_is_unknown_of_earlier_suites() -> None:
    run = suite().about.made_with[0]
    runs = run, run.model_copy(update={"seed": 1})
    people = {row: item(row, label_source="people") for row in range(2)}
    text = write_card(suite(people, overruled=None, made_with=runs))
    assert "On 2 images, people decided. The number of images on which" in text
    assert "| cnn_2 | unknown | 0 | 2 | 0 | 90 % | thinner |" in text


@pytest.mark.parametrize(("images", "size"), [(999, "n<1K"), (1000, "1K<n<10K")])
def test_sizes_are_those_of_hubs(images: int, size: str) -> None:
    many = Suite(suite().about, (item(0),) * images, IMAGES[:1].expand(images, -1, -1, -1))
    assert DatasetCard(write_card(many)).data.size_categories == [size]


def test_licenses_that_differ_are_listed() -> None:
    run = suite().about.made_with[0]
    other = run.model_copy(update={"license": None})
    card = DatasetCard(write_card(suite(None, made_with=(run, other))))
    assert card.data.license is None
    assert "mit, not set" in card.content


def test_text_of_strangers_is_only_text() -> None:
    run = suite().about.made_with[0]
    fields = ("model", "borderline", "generator", "recipe")
    run = run.model_copy(update=dict.fromkeys(fields, HOSTILE) | {"left_out": {HOSTILE: 1}})
    names = dict.fromkeys(("source", "positive", "negative"), HOSTILE)
    text = write_card(suite({0: item(0, words=HOSTILE, model=HOSTILE)}, made_with=(run,), **names))
    DatasetCard(text)
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    assert "\x1b" not in text
    page = MarkdownIt().enable("table").render(body)
    assert "<script" not in page
    assert "href" not in page
    assert page.count("<h1>") == 1
    assert head.count("\n---") == 0

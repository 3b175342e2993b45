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

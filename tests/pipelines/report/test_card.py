from __future__ import annotations

import html
import itertools

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from borderline.findings import Measured, PatternRating, Rating
from borderline.params import CallParams, RunParams
from borderline.pipelines.report.card import write_card
from borderline.pipelines.report.page import Origin
from conftest import findings_of
from repairs import repair_of

ORIGIN = Origin.of(
    CallParams(environment="mnist_7v1", changed={"run.seed": 3}, listed=("run",)),
    RunParams(seed=3, device="cpu"),
    {
        "python": "3.11",
        "threads": 2,
        "packages": {"borderline": "1", "torch": "2"},
    },
    {"run": {"seed": 3}},
)


def test_hub_reads_the_head() -> None:
    data = ModelCard(write_card("cnn_2", findings_of(), ORIGIN, "apache-2.0")).data
    assert (data.license, data.library_name) == ("apache-2.0", "pytorch")
    assert (data.pipeline_tag, data.model_name) == ("image-classification", "cnn_2")
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value) == ("accuracy", pytest.approx(0.1))
    assert (result.dataset_name, result.dataset_split) == ("digits", "test")
    assert ModelCard(write_card("cnn_2", findings_of(), ORIGIN, None)).data.license is None


def test_sections_are_those_of_model_cards() -> None:
    card = write_card("cnn_2", findings_of(), ORIGIN, None)
    tokens = MarkdownIt().parse(ModelCard(card).text)
    pairs = itertools.pairwise(tokens)
    heads = [text.content for start, text in pairs if start.type == "heading_open"]
    assert heads[0] == "cnn_2: 7 or 1"
    for section in (
        *("Model details", "Uses", "Bias, risks, and limitations", "Training details"),
        *("Evaluation", "Where the model is unsure", "How to reproduce"),
    ):
        assert section in heads
    assert "kedro run --env mnist_7v1 --params run.seed=3" in card
    assert "](prototypes.png)" in card


def test_card_of_a_repaired_model_says_what_it_was_trained_on() -> None:
    sentence = "The model is cnn_2, trained again by `kedro run --pipelines repair`"
    card = write_card("m", findings_of(repaired_from="cnn_2"), ORIGIN, None)
    assert sentence in card
    assert "So first repeat the run of cnn_2 and its repair" in card
    assert "trained again" not in write_card("m", findings_of(), ORIGIN, None)
    findings = findings_of(repaired_from="mine", trained_elsewhere=True)
    assert "mine was trained elsewhere" in write_card("m", findings, ORIGIN, None)


def test_model_is_described_by_its_weights_and_outputs() -> None:
    card = write_card("m", findings_of(positive="cat"), ORIGIN, None)
    assert "- **Model:** cnn, filters 2, 293 weights\n" in card
    assert "- **Output:** a logit; its sigmoid is p, the probability of cat\n" in card
    findings = findings_of(weights=None, outputs="p, the probability of {positive}")
    card = write_card("m", findings, ORIGIN, None)
    assert "- **Model:** cnn, filters 2, unknown number of weights\n" in card
    assert "- **Output:** p, the probability of 7\n" in card


def test_tables_are_whole() -> None:
    rows = write_card("cnn_2", findings_of(3), ORIGIN, None).splitlines()
    for head in ("| measure |", "| pattern |"):
        start = next(i for i, row in enumerate(rows) if row.startswith(head))
        table = rows[start : rows.index("", start)]
        assert len({row.count("|") for row in table}) == 1
        assert len(table) >= 5


def test_card_without_patterns_says_why() -> None:
    card = write_card("cnn_2", findings_of(0), ORIGIN, None)
    assert "The model has no patterns: only 3 of 30 borderline images." in card
    assert "prototypes.png" not in card


def test_patterns_are_described_in_words() -> None:
    findings = findings_of(2)
    words = "Thinner (0.8 SD) than the model's confident images of <b>bag|x."
    first = findings.patterns[0].model_copy(update={"words": words})
    patterns = (first, *findings.patterns[1:])
    card = write_card("m", findings.model_copy(update={"patterns": patterns}), ORIGIN, None)
    (line,) = [line for line in card.splitlines() if line.startswith("- Pattern 0: ")]
    assert line.startswith("- Pattern 0: Thinner (0.8 SD) than the model's confident images of ")
    assert "&lt;b&gt;bag|x." in MarkdownIt().render(line)


def test_names_of_classes_are_no_markup() -> None:
    card = write_card("m", findings_of(positive="<b>bag|x", source="\u6570"), ORIGIN, None)
    page = MarkdownIt("gfm-like", {"linkify": False}).render(ModelCard(card).text)
    assert "&lt;b&gt;bag|x" in page
    assert "<b>" not in page
    assert ModelCard(card).data.eval_results[0].dataset_type == "images"


def test_card_says_what_people_see() -> None:
    assert "### What people see\n\nNot rated by people." in write_card(
        "m", findings_of(), ORIGIN, None
    )
    seen = PatternRating(images=4, answers=8, shares={}, verdict="open", says="Mostly 7: 75 %.")
    rating = Rating(
        made_for="",
        raters=2,
        left_out=0,
        alpha=Measured(),
        kappa=Measured(),
        says=("2 raters.",),
        patterns={1: seen},
    )
    card = write_card("m", findings_of(rating=rating, rating_note=""), ORIGIN, None)
    lines = ("2 raters.", "Pattern 0: Not rated by people.", "Pattern 1: Mostly 7: 75 %.")
    assert "\n".join(f"- {line}" for line in lines) in card


def test_card_of_a_baseline_and_a_quick_look_is_marked_below_its_title() -> None:
    blends = {"generator": "pixels", "baseline": "blends of two real images"}
    card = write_card("m", findings_of(quick=True, **blends), ORIGIN, None)
    page = MarkdownIt().render(ModelCard(card).text)
    head = page[: page.index("<h2>Model details</h2>")]
    assert "<strong>Quick look: reduced settings." in head
    assert "<strong>The images of m are blends of two real images." in head
    assert "<h2>Where the model is unsure: blends of two real images</h2>" in page
    assert "The patterns consist of blends of two real images." in page
    assert "Quick look" not in write_card("m", findings_of(), ORIGIN, None)


def test_card_of_a_model_from_elsewhere_claims_nothing_about_its_training() -> None:
    card = write_card("m", findings_of(trained_elsewhere=True), ORIGIN, None)
    assert "The model was trained elsewhere; Borderline does not know how." in card
    assert "Whether the model was trained on some of them is unknown." in card
    assert "none of them used for training" not in card
    assert "none of them used for training." in write_card("m", findings_of(), ORIGIN, None)


def test_no_name_in_the_card_is_markup() -> None:
    name = "a/b & *c* ~~d~~ $e$ &lt; [f](g) `h`"
    seen = PatternRating(images=4, answers=8, shares={}, verdict="open", says=f"Mostly {name}.")
    rating = Rating(
        **{"made_for": "", "raters": 2, "left_out": 0, "alpha": Measured(), "kappa": Measured()},
        says=(f"Blends: {name}.",),
        patterns={0: seen},
    )
    findings = findings_of(1, positive=name, source=name, rating=rating, rating_note="")
    text = ModelCard(write_card("m", findings, ORIGIN, None)).text
    page = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    for markup in ("<em>c", "<s>", 'href="g"', "<code>h"):
        assert markup not in page
    shown = html.unescape(page)
    assert shown.count(name) == text.count("a/b") > 10


def test_a_repair_has_one_line() -> None:
    plain = write_card("cnn_2", findings_of(), ORIGIN, None)
    card = write_card("cnn_2", findings_of(repair=repair_of()), ORIGIN, None)
    line = "### Repair\n\nBorderline images help here.\n\n"
    assert card.replace(line, "") == plain != card
    older = write_card("cnn_2", findings_of(repair_note="An older run."), ORIGIN, None)
    assert older.replace("### Repair\n\nAn older run.\n\n", "") == plain != older

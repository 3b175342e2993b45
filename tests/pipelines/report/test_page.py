from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from borderline.params import CallParams, RunParams
from borderline.pipelines.report.page import Model, Origin, render
from borderline.pipelines.report.views import view_repair
from conftest import findings_of, open_page
from odd_names import ODD_NAMES
from repairs import repair_of

_VOID = {"meta", "link", "img", "br", "input"}
CHART = {"caption": "A chart", "figure": {"data": [], "layout": {}}}
IMAGES = {"count": 0, "pictures": []}


class Tags(HTMLParser):
    """Counts elements, and finds those that are not closed in their turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counted: dict[str, int] = {}
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counted[tag] = self.counted.get(tag, 0) + 1
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def model(name: str, **changed: Any) -> Model:
    return Model(
        name,
        findings_of(0, **changed),
        {
            "matrix": dict.fromkeys(
                ("true_negative", "false_positive", "false_negative", "true_positive"), 1
            ),
            "figure": {"src": "data:,", "alt": "scores", "wide": True},
            "borderline": IMAGES,
            "errors": IMAGES,
        },
        {
            "strips": [{"name": "hybrid", "chosen": True, "pictures": []}],
            "leaderboard": {"columns": [], "rows": []},
            "charts": dict.fromkeys(("leaderboard", "front", "curves", "histograms"), CHART),
        },
        {"map": CHART, "patterns": [], "baseline": []},
        {"sentences": ["No error."], "cards": [], "blends": False},
        {"table": {"measures": [], "rows": []}, "coverage": CHART, "figures": []},
    )


def page(*models: Model) -> str:
    origin = Origin.of(
        CallParams(listed=("run",)),
        RunParams(seed=0, device="cpu"),
        {
            "date": "2026-01-01",
            "platform": "Linux",
            "threads": 1,
            "cores": 2,
            "python": "3.11",
            "packages": {"borderline": "1"},
        },
        {
            "run": RunParams(seed=0, device="cpu"),
            "tracking": {"entity": "team-of-ours"},
            "call": None,
        },
    )
    return render(list(models), origin)


def test_names_from_outside_are_text_and_nothing_else() -> None:
    odd = page(model("a", positive="<b>bag</b>", negative='"><script>alert(1)</script>'))
    plain = page(model("a"))
    tags, known = Tags(), Tags()
    tags.feed(odd)
    known.feed(plain)
    assert tags.counted == known.counted, "no element came from a name"
    assert "&lt;b&gt;bag&lt;/b&gt;" in odd


@pytest.mark.parametrize("names", [("a",), ("a", "b", "reproduce", "top")])
def test_page_is_whole_for_any_number_of_models(names: tuple[str, ...]) -> None:
    tags = Tags()
    tags.feed(page(*(model(name) for name in names)))
    assert tags.open == []
    assert len(set(tags.ids)) == len(tags.ids)
    assert tags.counted["article"] == len(names)


def test_page_shows_settings_and_not_who_tracks() -> None:
    text = page(model("a"))
    assert "device: cpu" in text
    assert "team-of-ours" not in text


def test_page_of_a_baseline_and_a_quick_look_is_marked_at_its_head() -> None:
    blends = {"generator": "pixels", "baseline": "blends of two real images"}
    text = page(model("a", quick=True, **blends))
    head = text[: text.index('<section id="in-short">')]
    assert "Quick look: reduced settings." in head
    assert "<h1>Where, how and why is the model unsure? Blends of two real images</h1>" in head
    assert '<h2 class="model">a: blends of two real images</h2>' in text
    assert "<h3>Patterns: blends of two real images</h3>" in text
    plain = page(model("a"))
    assert "Quick look" not in plain
    assert "blends" not in plain


def test_repair_has_a_section_of_its_own() -> None:
    repaired = findings_of(0, repair=repair_of())
    view = {**model("a").validation, **view_repair(repaired, b"")}
    text = page(model("a")._replace(findings=repaired, validation=view))
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    section = text[text.index('<section id="a-repair">') : text.index('<section id="a-limits">')]
    assert "<p><strong>Borderline images help here.</strong></p>" in section
    assert "<li>A detail.</li>" in section
    assert "Borderline images help here.</li>" not in section
    # Significant differences are bold.
    assert "<strong>-0.21</strong><br><small>[-0.35, -0.07]</small>" in section
    assert "<td>+0.10</td>" in section.replace("<br><small>p = 0.700</small>", "")
    assert '<a href="#a-repair">Repair</a>' in text
    assert "Repair" not in page(model("a"))


def test_a_repair_of_other_patterns_is_named_and_not_shown() -> None:
    text = page(model("a", repair_note="An older run was repaired."))
    assert "<p>An older run was repaired.</p>" in text
    assert "The arms of the repair" not in text


def test_reproduction_of_a_repaired_model_starts_with_its_repair() -> None:
    first = "a_repaired is the kept model of a repair of a. So first repeat the run of a"
    assert first in page(model("a"), model("a_repaired", repaired_from="a"))
    assert "So first repeat" not in page(model("a"))


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_stay_on_the_page(chromium: WebDriver, tmp_path: Path, width: int) -> None:
    names = ODD_NAMES[1]
    odd = model("a", positive=names.positive, negative=names.negative, source=names.positive)
    tile = {"src": "data:,", "alt": "", "caption": f"is {names.positive}"}
    errors = {"count": 2, "pictures": [tile, tile]}
    path = tmp_path / "page.html"
    path.write_text(page(odd._replace(model={**odd.model, "errors": errors})))
    open_page(chromium, path.as_uri(), width)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= width

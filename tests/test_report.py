"""The pages of a run as people see them: opened from a file in a browser."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from huggingface_hub import ModelCard
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from borderline.datasets import JSONDataset
from borderline.datasets.digests import digests_of
from borderline.findings import MEASURES, Findings, written
from borderline.pages.verdicts import verdict_on
from conftest import MODELS, SETTINGS, open_page, reporting_folder, run_here

pytestmark = pytest.mark.road

PHONE, SCREEN = 390, 1280
_MOST_BYTES = 10 * 2**20


@pytest.fixture
def report(whole: Path) -> str:
    return (reporting_folder(whole) / "report.html").as_uri()


@pytest.fixture
def map_id(whole: Path) -> str:
    """The map of a model that has patterns."""
    for model in MODELS:
        findings = json.loads((reporting_folder(whole) / model / "findings.json").read_text())
        if findings["patterns"]:
            return f"{model}-map-chart"
    pytest.fail("no model has patterns")


def drawn(chromium: WebDriver, chart: str) -> None:
    """Scroll to a chart, and wait until it is there."""
    chromium.execute_script("document.getElementById(arguments[0]).scrollIntoView()", chart)
    there = "return 'drawn' in document.getElementById(arguments[0]).dataset"
    WebDriverWait(chromium, 30).until(lambda page: page.execute_script(there, chart))


@pytest.mark.parametrize("width", [PHONE, SCREEN])
def test_page_opens_without_network_or_complaint(
    chromium: WebDriver, report: str, width: int
) -> None:
    open_page(chromium, report, width)
    charts = chromium.execute_script(
        "return [...document.querySelectorAll('.plot')].map(p => p.id)"
    )
    assert len(charts) >= 6 * len(MODELS)
    for chart in charts:
        drawn(chromium, chart)
    assert chromium.get_log("browser") == []
    asked = chromium.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert [address for address in asked if not address.startswith(("data:", "blob:"))] == []
    wide = chromium.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width, "nothing sticks out to the side"


def test_every_link_leads_somewhere_on_the_page(chromium: WebDriver, report: str) -> None:
    open_page(chromium, report)
    links = chromium.execute_script(
        "return [...document.querySelectorAll('a')].map(link => link.getAttribute('href'))"
    )
    assert len(links) > 10
    known = chromium.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(set(known)) == len(known), "a name may be there once"
    for link in links:
        assert link.startswith("#")
        assert link[1:] in known


def test_every_image_and_chart_says_what_it_shows(chromium: WebDriver, report: str) -> None:
    open_page(chromium, report)
    texts = chromium.execute_script("return [...document.images].map(image => image.alt)")
    assert len(texts) > 100
    assert all(texts)
    labels = chromium.execute_script(
        "return [...document.querySelectorAll('[role=region], [role=img]')]"
        ".map(e => e.getAttribute('aria-label'))"
    )
    assert all(labels)
    assert_headings(chromium)


def assert_headings(chromium: WebDriver) -> None:
    heads = chromium.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => +h.tagName[1])"
    )
    assert heads[0] == 1
    steps = [after - before for before, after in itertools.pairwise(heads)]
    assert max(steps) <= 1, "no level is left out"


@pytest.mark.parametrize("width", [PHONE, SCREEN])
def test_map_shows_the_image_under_the_pointer(
    chromium: WebDriver, report: str, map_id: str, width: int
) -> None:
    open_page(chromium, report, width)
    drawn(chromium, map_id)
    chromium.execute_script("document.getElementById(arguments[0]).scrollIntoView()", map_id)
    script = """
        const plot = document.getElementById(arguments[0]), {xaxis, yaxis} = plot._fullLayout;
        const box = plot.getBoundingClientRect(), at = plot.calcdata[0][0];
        const x = box.left + xaxis._offset + xaxis.c2p(at.x);
        return [x, box.top + yaxis._offset + yaxis.c2p(at.y)];
        """
    pictures = (
        "return [...document.querySelectorAll('img.picture')].find("
        "  image => image.style.display === 'block')"
    )

    def look(page: WebDriver) -> WebElement | None:
        # What is drawn later may move the map.
        mouse = ActionChains(page)
        point = (round(value) for value in page.execute_script(script, map_id))
        mouse.w3c_actions.pointer_action.move_to_location(*point)
        mouse.perform()
        found: WebElement | None = page.execute_script(pictures)
        return found

    shown = WebDriverWait(chromium, 60).until(look)
    assert shown.get_attribute("src").startswith("data:image/png;base64,")
    assert shown.get_attribute("alt").startswith("p = ")
    assert shown.get_property("naturalWidth") == 28
    assert chromium.get_log("browser") == []


def test_map_zooms_to_a_pattern_and_back(chromium: WebDriver, report: str, map_id: str) -> None:
    open_page(chromium, report)
    drawn(chromium, map_id)

    def ranges() -> list[list[float]]:
        script = "const l = document.getElementById(arguments[0])._fullLayout;"
        found: list[list[float]] = chromium.execute_script(
            script + "return [l.xaxis.range, l.yaxis.range]", map_id
        )
        return found

    def choose(value: str) -> None:
        chromium.execute_script(
            "const c = document.querySelector(`select[data-map='${arguments[0]}']`);"
            "c.value = arguments[1]; c.dispatchEvent(new Event('change'))",
            map_id,
            value,
        )

    whole = ranges()
    chromium.execute_script(
        "document.querySelector(`a[data-map='${arguments[0]}']`).click()", map_id
    )
    WebDriverWait(chromium, 60).until(lambda _: ranges() != whole)
    for (low, high), (least, most) in zip(ranges(), whole, strict=True):
        assert high - low < most - least
    choose("")
    WebDriverWait(chromium, 60).until(lambda _: ranges() == whole)


def test_button_turns_dark_and_light(chromium: WebDriver, report: str) -> None:
    open_page(chromium, report)

    def ground() -> str:
        return str(
            chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
        )

    seen = []
    for _ in range(3):
        seen.append(ground())
        chromium.execute_script("document.getElementById('theme-button').click()")
    assert seen[0] == seen[2] != seen[1]


def test_paper_shows_everything(chromium: WebDriver, report: str) -> None:
    open_page(chromium, report)
    chromium.execute_script("dispatchEvent(new Event('beforeprint'))")
    WebDriverWait(chromium, 60).until(
        lambda page: page.execute_script(
            "return !document.querySelector('.plot:not([data-drawn])')"
        )
    )
    assert chromium.execute_script("return !document.querySelector('details:not([open])')")
    printed = chromium.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 100_000


def test_page_says_what_the_tables_say(chromium: WebDriver, whole: Path, report: str) -> None:
    open_page(chromium, report)
    text = chromium.execute_script("return document.body.textContent")
    summary = pd.read_csv(reporting_folder(whole) / "summary.csv").set_index("model")
    for model in MODELS:
        path = reporting_folder(whole) / model / "findings.json"
        findings = Findings(**json.loads(path.read_text()))
        assert set(findings.measures) == set(MEASURES)
        assert findings.measures["accuracy"].value == pytest.approx(summary.loc[model, "accuracy"])
        assert len(findings.patterns) == summary.loc[model, "prototypes"]
        assert findings.generator == summary.loc[model, "generator"]
        assert written("{:.1%}", findings.measures["accuracy"].value or 0) in text
        for sentence in (*findings.validation, *findings.attributions, *findings.doubts):
            assert sentence in text
        first_lines = chromium.execute_script(
            "return [...document.querySelectorAll(`#${arguments[0]} .pattern > h4`)].map(head => "
            "[head, ...Array(2)].map((_, line, lines) => (lines[line] = line ? "
            "lines[line - 1].nextElementSibling : head).textContent))",
            model,
        )
        assert len(first_lines) == len(findings.patterns)
        for pattern, (_, verdict, trust) in zip(findings.patterns, first_lines, strict=True):
            assert verdict == verdict_on(pattern, findings)
            assert "prototype at p = " in trust
            assert "Trust: " in trust
    assert f"kedro run --env test --params {SETTINGS}" in text
    assert (reporting_folder(whole) / "report.html").stat().st_size < _MOST_BYTES


def test_card_is_beside_the_pictures(whole: Path) -> None:
    for model in MODELS:
        folder = reporting_folder(whole) / model
        card = ModelCard.load(folder / "model_card.md")
        assert card.data.model_name == model
        assert "](prototypes.png)" not in card.text or (folder / "prototypes.png").exists()


def gate(again: Path, *limits: str) -> Result:
    """`kedro run --pipelines gate`, with `figure.end=value` for limits."""
    changed = "".join(f",gate.limits.{limit}" for limit in limits)
    return run_here(again, "--env", "test", "--pipelines", "gate", "--params", SETTINGS + changed)


def test_gate_opens_and_closes(again: Path) -> None:
    taken = ("yield=null", "hubris=null", "found_again=null")
    passed = gate(again, "accuracy.least=0.1", *taken)
    assert passed.exit_code == 0, passed.output
    assert "Holds:" in passed.stdout
    failed = gate(again, "accuracy.least=1.1", *taken)
    assert failed.exit_code == 3
    assert "2 of 2 limits do not hold" in failed.stderr
    assert "Traceback" not in failed.output
    table = pd.read_csv(reporting_folder(again) / "gate.csv")
    assert table["holds"].tolist() == [False, False]


def test_two_models_side_by_side(chromium: WebDriver, again: Path) -> None:
    arguments = ("--env", "test", "--pipelines", "compare", "--params", SETTINGS)
    earlier = reporting_folder(again) / "comparison/comparison.html"
    earlier.parent.mkdir()
    earlier.write_text("the page of an earlier version")
    result = run_here(again, *arguments, drawn=True)
    assert result.exit_code == 0, result.output
    assert earlier.read_text() == "the page of an earlier version"
    folder = reporting_folder(again) / "comparison/cnn_1-mlp_4"
    assert str(folder / "comparison.html") in result.stdout
    measures = pd.read_csv(folder / "measures.csv")
    assert measures["measure"].tolist() == list(MEASURES)
    patterns = pd.read_csv(folder / "patterns.csv")
    assert set(patterns["model"]) <= set(MODELS)
    assert set(patterns["verdict"]) <= {"shared", "own", "open"}
    search = json.loads((folder / "disagreement_search.json").read_text())
    assert search["found"] == len(pd.read_csv(folder / "disagreements.csv"))
    assert search["random_images"] == -(-search["evaluations"] // 2) > 0
    for width in (PHONE, SCREEN):
        open_page(chromium, (folder / "comparison.html").as_uri(), width)
        assert chromium.get_log("browser") == []
        assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
    assert_headings(chromium)
    text = chromium.execute_script("return document.body.textContent")
    assert "cnn_1 and mlp_4" in text


def vouch_for(data: Path, findings: Path) -> None:
    """Enter the findings of a model into the ledger as if its run had made them."""
    entry = data / "06_models/mnist_sample_7v1/ledger/cnn_1.report.gather_findings.json"
    made = json.loads(entry.read_text())
    made["results"]["cnn_1.findings"] = digests_of(JSONDataset(filepath=str(findings)))
    entry.write_text(json.dumps(made))


def test_two_runs_side_by_side(again: Path) -> None:
    """A run compared with a copy of itself, with one measure changed."""
    before = Path(shutil.copytree(again / "data/test", again / "data/before"))
    path = before / "08_reporting/mnist_sample_7v1/cnn_1/findings.json"
    findings = json.loads(path.read_text())
    findings["measures"]["yield"] = {"value": 0.0, "low": 0.0, "high": 0.001, "n": 300}
    path.write_text(json.dumps(findings))
    refused = run_here(
        *(again, "--env", "test", "--pipelines", "compare", "--params"),
        f"{SETTINGS},other_run.data_folder=data/before",
    )
    assert f"{path} was changed, damaged or removed after the other run made it" in refused.stderr
    vouch_for(before, path)
    result = run_here(
        *(again, "--env", "test", "--pipelines", "compare", "--params"),
        f"{SETTINGS},other_run.data_folder=data/before",
    )
    assert result.exit_code == 0, result.output
    (folder,) = (reporting_folder(again) / "comparison").glob("cnn_1-cnn_1-before_*")
    measures = pd.read_csv(folder / "measures.csv").set_index("measure")
    assert measures.loc["yield", "other"] == 0
    others = measures.drop(index=["yield", "fd_lenet"])
    assert others["difference"].fillna(0).eq(0).all()
    assert not others["differ"].eq(True).any()
    assert pd.isna(measures.loc["fd_lenet", "difference"]), "another run may have another judge"
    errors = json.loads((folder / "errors.json").read_text())
    assert errors == {"only_this": 0, "only_other": 0, "p_value": None}
    assert "cnn_1 of the other run" in (folder / "comparison.html").read_text()
    assert json.loads((folder / "disagreement_search.json").read_text())["found"] == 0


def test_models_of_other_classes_are_not_compared(again: Path) -> None:
    other = Path(shutil.copytree(again / "data/test", again / "data/swapped"))
    path = other / "08_reporting/mnist_sample_7v1/cnn_1/findings.json"
    findings = json.loads(path.read_text())
    findings |= {"positive": "1", "negative": "7"}
    path.write_text(json.dumps(findings))
    vouch_for(other, path)
    result = run_here(
        *(again, "--env", "test", "--pipelines", "compare", "--params"),
        f"{SETTINGS},other_run.data_folder=data/swapped",
    )
    assert result.exit_code == 1
    assert "tells 1 from 7, and cnn_1 7 from 1: set compare and other_run" in result.stderr

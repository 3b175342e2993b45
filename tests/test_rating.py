"""The rating page as people use it, and the way of their answers into report and card."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.torch import load_file
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

from borderline.findings import NOT_RATED, Findings
from borderline.params import RunParams
from borderline.pipelines.rating.answers import Rater, raters_by_model
from borderline.pipelines.rating.items import KINDS, fingerprint, ids_of
from borderline.pipelines.rating.nodes import choose_rating_items
from borderline.pipelines.rating.page import render
from borderline.pipelines.rating.params import RatingParams
from borderline.records import RatingItems
from conftest import (
    BOUNDARY,
    MODELS,
    SETTINGS,
    base_settings,
    open_page,
    reporting_folder,
    run_here,
    wait_until_loaded,
)
from raters import NAMES, answers_of, good, items_of, rated

PHONE, SCREEN = 390, 1280
ITEMS = items_of(rated(), borderline=4, real=2, blends=1)
COUNT = len(ITEMS["kind"])
WORDS = [
    good(KINDS[kind], pattern)
    for kind, pattern in zip(ITEMS["kind"].tolist(), ITEMS["pattern"].tolist(), strict=True)
]
KEY = {
    "positive": Keys.ARROW_LEFT,
    "negative": Keys.ARROW_RIGHT,
    "neither": Keys.ARROW_DOWN,
    "cannot_tell": Keys.ARROW_UP,
}
# The page takes faster answers for a second tap.
_A_LOOK = 0.17
_NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "rating.html"
    path.write_text(render("cnn_2", ITEMS, NAMES), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(chromium: WebDriver, address: str, tmp_path: Path) -> Iterator[WebDriver]:
    """A browser that has not seen the page before, and saves downloads in the test's folder."""
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    open_page(chromium, address, SCREEN)
    chromium.execute_script("localStorage.clear()")
    open_page(chromium, address, SCREEN)
    yield chromium
    chromium.execute_script("try { localStorage.clear() } catch {}")
    assert chromium.get_log("browser") == []


def text(page: WebDriver, part: str) -> str:
    return str(page.execute_script("return document.getElementById(arguments[0]).innerText", part))


def press(page: WebDriver, *keys: str) -> None:
    """Press keys where the focus is, after a look at the image."""
    for key in keys:
        time.sleep(_A_LOOK)
        page.switch_to.active_element.send_keys(key)


def click(page: WebDriver, selector: str) -> None:
    time.sleep(_A_LOOK)
    page.find_element(By.CSS_SELECTOR, selector).click()


def downloaded(folder: Path, name: str) -> Rater:
    """The rater of a downloaded file, as the pipeline reads it."""
    WebDriverWait(folder, 10).until(lambda _: (folder / name).exists())
    pages, ids = {"cnn_2": fingerprint(ITEMS, NAMES)}, {"cnn_2": ids_of(ITEMS)}
    (rater,) = raters_by_model({name: (folder / name).read_text()}, pages, ids)["cnn_2"]
    return rater


def words_of(rater: Rater) -> list[str]:
    return [rater.answers[item].answer for item in ids_of(ITEMS) if item in rater.answers]


def test_rater_with_a_keyboard_alone(page: WebDriver, tmp_path: Path) -> None:
    for _ in range(9):
        if page.switch_to.active_element.get_attribute("id") == "rater":
            break
        page.switch_to.active_element.send_keys(Keys.TAB)
    press(page, "Zoë 1", Keys.ENTER)
    press(page, *(KEY[word] for word in WORDS))
    assert "Thank you" in text(page, "end")
    assert page.switch_to.active_element.get_attribute("id") == "download"
    press(page, Keys.ENTER)
    rater = downloaded(tmp_path, "cnn_2-Zoë_1.json")
    assert rater.name == "Zoë 1"
    assert words_of(rater) == WORDS
    seconds = [answer.seconds for answer in rater.answers.values()]
    assert all(_A_LOOK - 0.02 <= value < 10 for value in seconds)
    assert "All images are answered." in text(page, "message")


def test_rater_on_a_phone_goes_back_and_downloads_at_half_time(
    page: WebDriver, address: str, tmp_path: Path
) -> None:
    open_page(page, address, PHONE, 640)
    assert page.execute_script("return document.documentElement.scrollWidth") <= PHONE
    for word in ("neither", *WORDS[1:4]):
        click(page, f"[data-answer={word}]")
    ends = page.execute_script(
        "return [['#place', 'top'], ['#answers', 'bottom']].map(([selector, end]) =>"
        " document.querySelector(selector).getBoundingClientRect()[end])"
    )
    bar = page.execute_script("return document.querySelector('nav').offsetHeight")
    assert bar < ends[0] < ends[1] < 640, "image and answers are in view"
    assert text(page, "place") == f"Image 5 of {COUNT}"
    assert text(page, "count") == "4 answered"
    for _ in range(4):
        click(page, "#back")
    pressed = "[aria-pressed=true]"
    assert page.find_element(By.CSS_SELECTOR, pressed).get_attribute("data-answer") == "neither"
    click(page, f"[data-answer={WORDS[0]}]")
    click(page, "#forward")
    assert text(page, "place") == f"Image 3 of {COUNT}"
    click(page, "#download")
    assert text(page, "message") == "Enter your name or initials first."
    press(page, "p.")
    click(page, "#download")
    assert words_of(downloaded(tmp_path, "cnn_2-p_.json")) == WORDS[:4]
    assert f"{COUNT - 4} images are left" in text(page, "message")
    assert page.execute_script("return document.documentElement.scrollWidth") <= PHONE


def test_reload_loses_nothing_and_delete_forgets_all(page: WebDriver, address: str) -> None:
    page.find_element(By.ID, "rater").send_keys("ada", Keys.ENTER)
    press(page, *(KEY[word] for word in WORDS[:3]))
    page.refresh()
    wait_until_loaded(page)
    assert page.find_element(By.ID, "rater").get_property("value") == "ada"
    assert text(page, "place") == f"Image 4 of {COUNT}"
    assert page.find_element(By.ID, "progress").get_property("value") == 3
    press(page, Keys.BACKSPACE)
    assert text(page, "place") == f"Image 3 of {COUNT}"
    page.execute_script("window.confirm = () => true; document.getElementById('delete').click()")
    kept = page.execute_script("return JSON.stringify([localStorage, history.state])")
    assert "answers" in kept
    assert "ada" not in kept
    page.refresh()
    wait_until_loaded(page)
    assert page.find_element(By.ID, "rater").get_property("value") == ""
    assert text(page, "place") == f"Image 1 of {COUNT}"
    assert text(page, "count") == "0 answered"


def test_browser_that_keeps_nothing_says_so_and_works(
    page: WebDriver, address: str, tmp_path: Path
) -> None:
    new = page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _NO_STORAGE})
    try:
        open_page(page, address, SCREEN)
        assert "This browser keeps nothing" in text(page, "message")
        page.find_element(By.ID, "rater").send_keys("ada", Keys.ENTER)
        press(page, *(KEY[word] for word in WORDS))
        press(page, Keys.ENTER)
        assert words_of(downloaded(tmp_path, "cnn_2-ada.json")) == WORDS
    finally:
        page.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", new)


def test_held_key_second_tap_and_typing_are_no_answers(page: WebDriver) -> None:
    key = "dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', repeat: arguments[0]}))"
    time.sleep(_A_LOOK)
    page.execute_script(key, True)
    assert text(page, "count") == "0 answered"
    page.execute_script(f"{key}; {key}", False)
    assert text(page, "count") == "1 answered"
    time.sleep(_A_LOOK)
    page.find_element(By.ID, "rater").send_keys("a", Keys.ARROW_LEFT, Keys.BACKSPACE)
    assert text(page, "count") == "1 answered"
    assert text(page, "place") == f"Image 2 of {COUNT}"


def test_every_part_has_a_name_for_screen_readers(page: WebDriver) -> None:
    named = page.execute_script(
        "return [...document.querySelectorAll('button, input, progress, [role], section')].map("
        " e => [e.id, e.getAttribute('aria-label') || e.labels?.[0]?.innerText"
        "  || e.textContent.trim() || e.role])"
    )
    assert len(named) > 10
    assert all(name for _, name in named)
    assert page.find_element(By.ID, "shown").get_attribute("alt")
    live = page.find_elements(By.CSS_SELECTOR, "[aria-live], [role=status]")
    assert {part.get_attribute("id") for part in live} == {"place", "message"}
    asked = page.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert [name for name in asked if not name.startswith(("data:", "blob:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_in_light_and_dark(page: WebDriver, scheme: str) -> None:
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    script = """
        const light = (colour) => {
          const [r, g, b] = colour.match(/[0-9.]+/g).map((v) => {
            const c = v / 255;
            return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        return ['h1', '.lead', '#place', '#count', '#answers button', '#rater'].map((selector) => {
          const element = document.querySelector(selector);
          let ground = element;
          while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') {
            ground = ground.parentElement;
          }
          const pair = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
          const [dim, bright] = pair.map(light).sort((a, b) => a - b);
          return (bright + 0.05) / (dim + 0.05);
        });
        """
    try:
        contrasts = page.execute_script(script)
        ground = "return getComputedStyle(document.body).backgroundColor"
        assert (page.execute_script(ground) == "rgb(255, 255, 255)") == (scheme == "light")
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert min(contrasts) > 4.5, "as WCAG 2 wants of text"


def items_in(project: Path, model: str) -> RatingItems:
    """The items of a model, from the files of a finished run."""
    output = project / "data/test/07_model_output" / reporting_folder(project).name / model
    feature, primary = (
        Path(str(output).replace("07_model_output", name)) for name in ("04_feature", "03_primary")
    )
    parts: Any = {n: load_file(output / f"{n}.safetensors") for n in ("borderline", "clusters")}
    return choose_rating_items(
        **parts,
        prototypes=load_file(output / "prototypes.safetensors"),  # type: ignore[arg-type]
        pair_test=load_file(primary.parent / "pair_test.safetensors"),  # type: ignore[arg-type]
        boundary=BOUNDARY,
        real_view=load_file(feature / "real_view.safetensors"),  # type: ignore[arg-type]
        rating=RatingParams.model_validate(base_settings()["rating"]),
        confident=base_settings()["prototypes"]["tipping"]["confident"],
        run=RunParams(seed=0, device="cpu"),
    )


@pytest.mark.road
def test_answers_come_into_report_and_card(again: Path) -> None:
    folder = again / "data/test/01_raw/ratings" / reporting_folder(again).name
    folder.mkdir(parents=True)
    rated_model, other = MODELS
    items = items_in(again, rated_model)
    names = {"positive": "7", "negative": "1"}
    for rater, seconds in (("NA", 1.0), ("ben", 2.0)):
        path = folder / f"{rater}.json"
        path.write_text(answers_of(items, rater, good, seconds=seconds, names=names))
    result = run_here(again, "--env", "test", "--pipelines", "rating,report", "--params", SETTINGS)
    assert result.exit_code == 0, result.output
    for model in MODELS:
        page = reporting_folder(again) / model / "rating.html"
        assert f"Rating page of {model}:\n  {page}" in result.stdout
        assert fingerprint(items_in(again, model), names) in page.read_text()
    raters = pd.read_csv(reporting_folder(again) / rated_model / "raters.csv", na_filter=False)
    assert raters["rater"].tolist() == ["NA", "ben"]
    report = (reporting_folder(again) / "report.html").read_text()
    cards = {m: (reporting_folder(again) / m / "model_card.md").read_text() for m in MODELS}
    findings = Findings.read(
        json.loads((page.parents[1] / rated_model / "findings.json").read_text())
    )
    assert findings.rating is not None
    assert findings.rating.raters == 2
    for pattern in findings.patterns:
        assert findings.people(pattern.prototype) in report
        assert findings.people(pattern.prototype) in cards[rated_model].replace("\\", "")
    assert "2 raters gave" in cards[rated_model]
    assert NOT_RATED in report
    assert NOT_RATED in cards[other]

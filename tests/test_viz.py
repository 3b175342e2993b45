"""The graph as users publish it: `kedro viz build`, served as plain files, opened in a browser."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from borderline.pipeline_registry import BESIDE, STAGES
from conftest import MODELS, open_page

pytestmark = pytest.mark.road


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def published(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the graph of a finished run."""
    project = shutil.copytree(whole, tmp_path_factory.mktemp("published") / "project")
    subprocess.run(
        [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"],
        cwd=project,
        env=os.environ | {"KEDRO_ENV": "test"},
        check=True,
    )
    handler = functools.partial(Quiet, directory=str(project / "build"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def node(chromium: WebDriver, name: str) -> WebElement:
    """A node of the graph by its whole name."""
    found: WebElement = WebDriverWait(chromium, 30).until(
        lambda page: page.find_element(By.CSS_SELECTOR, f"[data-node-fullname='{name}']")
    )
    return found


def click(chromium: WebDriver, element: WebElement) -> None:
    # A note about news lies over some of the graph, and would get the pointer's click.
    chromium.execute_script(
        "arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", element
    )


def test_graph_is_there_and_a_model_opens_into_its_stages(
    chromium: WebDriver, published: str
) -> None:
    open_page(chromium, published, width=1600)
    layers = ["images", "judge and GAN", "models under test", "report"]

    def named(page: WebDriver) -> bool:
        # Their texts are empty until they are faded in.
        found = page.find_elements(By.CSS_SELECTOR, ".pipeline-layer-name")
        return [layer.text for layer in found] == layers

    WebDriverWait(chromium, 60).until(named)
    for model in MODELS:
        click(chromium, node(chromium, model))
        for stage in STAGES:
            node(chromium, f"{model}.{stage}")
    click(chromium, node(chromium, "cnn_1.gasten"))
    node(chromium, "cnn_1.gasten.gasten_10")


@pytest.mark.parametrize(
    ("dataset", "preview"),
    [
        ("cnn_1.borderline_figure", "img.pipeline-metadata__plot-image"),
        ("pair_test", "img.pipeline-metadata__plot-image"),
        ("cnn_1.search_history_chart", ".pipeline-plotly__preview .js-plotly-plot"),
        ("summary_table", ".preview-table"),
    ],
)
def test_dataset_has_a_preview(
    chromium: WebDriver, published: str, dataset: str, preview: str
) -> None:
    open_page(chromium, published, width=1600)
    click(chromium, node(chromium, dataset))
    WebDriverWait(chromium, 30).until(
        lambda page: page.find_element(By.CSS_SELECTOR, preview).is_displayed()
    )


def test_every_pipeline_can_be_looked_at(chromium: WebDriver, published: str) -> None:
    open_page(chromium, published, width=1600)
    node(chromium, "pair_test")
    names = chromium.execute_script(
        "return fetch('api/main').then(r => r.json()).then(m => m.pipelines.map(p => p.id))"
    )
    assert set(names) == {"__default__", *STAGES, *BESIDE}

"""The cells of the notebooks on results that have nothing to show."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from kedro.framework.session import KedroSession
from torch import Tensor, nn

from borderline.pipelines.gasten.pixel_blends import BlendSampler
from conftest import ROOT, run_here, start_kedro

pytestmark = pytest.mark.road

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OWN_QUESTION = ROOT / "notebooks/02_my_own_question.ipynb"
Change = Callable[[Any], Any]


class WithoutGradients(nn.Module):
    """A model as an ONNX file gives it: its logits have no gradients."""

    differentiable = False

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """The logits (N,) of images (N, C, H, W)."""
        with torch.no_grad():
            logits: Tensor = self.network(images)
        return logits

    def embed(self, images: Tensor) -> Tensor:
        """The embeddings (N, D) of images (N, C, H, W)."""
        with torch.no_grad():
            embeddings: Tensor = self.network.embed(images)
        return embeddings


def first_row(record: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: values[:1] for name, values in record.items()}


class Catalog:
    """The datasets of a run, some of them changed; keys are names without that of the model."""

    def __init__(self, catalog: Any, changes: dict[str, Change]) -> None:
        self.catalog, self.changes = catalog, changes

    def load(self, name: str) -> Any:
        """The dataset, changed if it is one of these."""
        change = self.changes.get(name.rpartition(".")[2], lambda values: values)
        return change(self.catalog.load(name))

    def __getitem__(self, name: str) -> Any:
        return self.catalog[name]


def run_cells(notebook: Path, project: Path, **changes: Change) -> None:
    """Run the cells on the results of a project, without a kernel."""
    start_kedro()
    with KedroSession.create(project, env="test") as session:
        context = session.load_context()
        catalog = Catalog(context.catalog, changes)
        names = {"context": context, "catalog": catalog, "display": print}
        for cell in json.loads(notebook.read_text())["cells"]:
            lines = [line for line in cell["source"] if not line.startswith("%")]
            if cell["cell_type"] == "code":
                exec(compile("".join(lines), f"{notebook.name}, {cell['id']}", "exec"), names)


@pytest.fixture(scope="module")
def empty(short: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with 0 borderline images."""
    project = Path(shutil.copytree(short, tmp_path_factory.mktemp("empty") / "project"))
    params = "confusion.band=1e-12,grid.generators=[gasten_10]"
    result = run_here(project, "--env", "test", "--params", params)
    assert result.exit_code == 0, result.output
    assert "only 0 borderline images" in result.stdout
    return project


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_run_without_borderline_images(
    notebook: Path, empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_cells(notebook, empty)
    told = capsys.readouterr().out
    for sentence in (
        "None of the 0 borderline images is in cluster 0. Clusters with images: none.",
        "There is no walk: it needs two borderline images, and the run has 0.",
        "It belongs to no pattern: the run has none.",
    ):
        assert sentence in told or notebook != OWN_QUESTION


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_model_without_gradients(notebook: Path, short: Path) -> None:
    run_cells(notebook, short, classifier=WithoutGradients)


def test_one_borderline_image(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_cells(OWN_QUESTION, short, borderline=first_row, clusters=first_row)
    assert "two borderline images, and the run has 1." in capsys.readouterr().out


def test_generator_without_latents(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sampler = BlendSampler(pairs="nearest", tolerance=1e-3)
    run_cells(OWN_QUESTION, short, sampler=lambda _: sampler)
    assert "the images of this generator have no latents." in capsys.readouterr().out

from __future__ import annotations

import pytest
from kedro.pipeline import Node, Pipeline

from borderline import grid


@pytest.fixture(autouse=True)
def _two_models_and_generators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "_current", grid.Grid(models=("a", "b"), generators=("x", "y")))


def template() -> Pipeline:
    def function(*_: object) -> int:
        return 0

    inputs = ["pair", "classifier", "params:model", "params:generator", "params:run"]
    return Pipeline([Node(function, inputs=inputs, outputs="images", name="make")])


def test_each_model_gets_its_copy() -> None:
    copies = grid.for_each_model("stage", template(), shared=["pair"])
    assert copies.outputs() == {"a.images", "b.images"}
    assert copies.inputs() == {
        "pair",
        "a.classifier",
        "b.classifier",
        "params:models.a",
        "params:models.b",
        "params:generator",
        "params:run",
    }
    assert {node.namespace for node in copies.nodes} == {"a.stage", "b.stage"}


def test_each_generator_of_each_model_gets_its_copy() -> None:
    copies = grid.for_each_generator("stage", template(), shared=["pair"], of_model=["classifier"])
    assert copies.outputs() == {f"{m}.{g}.images" for m in "ab" for g in "xy"}
    assert {"pair", "a.classifier", "params:generators.x", "params:models.b"} <= copies.inputs()
    assert {node.namespace for node in copies.nodes} == {
        f"{m}.stage.{g}" for m in "ab" for g in "xy"
    }


def test_an_empty_grid_gives_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "_current", grid.Grid(models=(), generators=()))
    assert not grid.for_each_generator("stage", template()).nodes

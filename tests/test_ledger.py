from __future__ import annotations

from typing import Any

import pytest
from kedro.pipeline import Node, Pipeline

from borderline import ledger
from borderline.errors import BorderlineError


def stage(name: str, *parameters: str) -> Pipeline:
    inputs = [f"params:{parameter}" for parameter in parameters]
    return Pipeline([Node(lambda *_: 1, inputs=inputs, outputs=f"{name}_out", name=name)])


STAGES = {
    "one": stage("one", "run", "models.a"),
    "two": stage("two", "run", "band"),
    "three": stage("three", "trials"),
}
SETTINGS: dict[str, Any] = {
    "run": {"seed": 0, "device": "cpu"},
    "models": {"a": {"filters": 2}, "b": {"filters": 3}},
    "band": 0.1,
    "trials": 5,
}
FULL = ledger.closed({}, STAGES, set(STAGES), SETTINGS)


def check(book: ledger.Ledger, running: set[str], **changed: object) -> None:
    ledger.check(book, STAGES, running, SETTINGS | changed, "kedro run")


def test_a_stage_has_the_settings_of_its_nodes_but_for_the_device() -> None:
    assert FULL["one"] == {"run.seed": 0, "models.a.filters": 2}
    assert FULL["three"] == {"trials": 5}


def test_what_a_run_takes_must_have_been_made_with_its_settings() -> None:
    check(FULL, {"three"})
    check(FULL, {"three"}, run={"seed": 0, "device": "cuda"})
    check(FULL, {"three"}, trials=9)
    check(FULL, {"two", "three"}, band=0.3)
    message = r"band is 0.3, but two last ran with 0.1.*`kedro run --pipelines two,three`"
    with pytest.raises(BorderlineError, match=message):
        check(FULL, {"three"}, band=0.3)
    with pytest.raises(BorderlineError, match=r"models\.a\.filters is 9"):
        check(FULL, {"two"}, models={"a": {"filters": 9}})


def test_a_stage_that_runs_again_takes_those_after_it_off_the_ledger() -> None:
    opened = ledger.opened(FULL, STAGES, {"two"})
    assert set(opened) == {"one"}
    closed = ledger.closed(opened, STAGES, {"two"}, SETTINGS)
    check(closed, {"three"})
    with pytest.raises(BorderlineError, match="one,two,three"):
        check({}, {"three"})
    with pytest.raises(BorderlineError, match="results of two"):
        check(FULL, {"one", "three"})


def test_a_run_that_was_killed_leaves_its_stage_off_the_ledger() -> None:
    with pytest.raises(BorderlineError, match="results of two are not those of a run to its end"):
        check(ledger.opened(FULL, STAGES, {"two"}), {"three"})


def test_the_whole_road_and_no_stage_need_no_check() -> None:
    check({}, set(STAGES), band=7)
    check({}, set())
    assert ledger.opened(FULL, STAGES, set()) == FULL

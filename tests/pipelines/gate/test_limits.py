from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from borderline.findings import MEASURES, Measured
from borderline.grid import Grid
from borderline.pipelines.gate.limits import check, verdict
from borderline.pipelines.gate.nodes import check_limits
from borderline.pipelines.gate.params import GateParams
from conftest import ROOT, findings_of

DEFAULTS = yaml.safe_load((ROOT / "conf/base/parameters_gate.yml").read_text())["gate"]


def gate(limits: dict[str, Any], judged_by: str = "value") -> GateParams:
    return GateParams.model_validate(DEFAULTS | {"judged_by": judged_by, "limits": limits})


def findings(**changed: Measured) -> Any:
    measures = {name: Measured(value=0.5) for name in MEASURES}
    return {"a": findings_of(measures=measures | changed)}


ACCURACY = Measured(value=0.9, low=0.85, high=0.95)


@pytest.mark.parametrize(
    ("limit", "judged_by", "holds"),
    [
        ({"least": 0.9}, "value", True),
        ({"least": 0.91}, "value", False),
        ({"most": 0.9}, "value", True),
        ({"most": 0.89}, "value", False),
        ({"least": 0.86}, "interval", False),
        ({"least": 0.85}, "interval", True),
        ({"most": 0.94}, "interval", False),
        ({"most": 0.95}, "interval", True),
        ({"least": 0.8, "most": 0.89}, "value", False),
    ],
)
def test_limit_is_held_or_broken(limit: dict[str, float], judged_by: str, holds: bool) -> None:
    table = check(findings(accuracy=ACCURACY), gate({"accuracy": limit}, judged_by))
    assert table["holds"].tolist() == [holds]
    sentence = verdict(table)
    assert bool(sentence) != holds
    assert holds or "a: accuracy is 90.0 % [85.0 %, 95.0 %], and the limit is at" in sentence


def test_measure_without_an_interval_is_judged_by_its_value() -> None:
    table = check(findings(ece=Measured(value=0.05)), gate({"ece": {"most": 0.05}}, "interval"))
    assert table["holds"].all()


def test_what_could_not_be_measured_does_not_hold() -> None:
    table = check(findings(found_again=Measured()), gate({"found_again": {"least": 0.1}}))
    assert not table["holds"].any()
    assert "could not be measured" in verdict(table)


def test_every_model_is_held_to_every_limit_but_those_taken_away() -> None:
    both = findings() | {"b": findings_of(measures=dict.fromkeys(MEASURES, Measured(value=0.1)))}
    table = check(both, gate({"accuracy": {"least": 0.3}, "yield": {"least": 0.3}, "acd": None}))
    assert table[["model", "measure", "holds"]].to_numpy().tolist() == [
        ["a", "accuracy", True],
        ["a", "yield", True],
        ["b", "accuracy", False],
        ["b", "yield", False],
    ]
    assert "2 of 4 limits do not hold" in verdict(table)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"acuracy": {"least": 0.9}}, "did you mean 'accuracy'"),
        ({"accuracy": {}}, "have least or most"),
        ({"accuracy": {"least": 0.9, "most": 0.8}}, "above its most"),
        ({}, "at least one limit"),
        ({"accuracy": None}, "at least one limit"),
    ],
)
def test_limits_that_say_nothing_are_refused(limits: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        gate(limits)


def test_measure_that_rounds_to_its_limit_is_told_from_it() -> None:
    table = check(findings(accuracy=Measured(value=0.89996)), gate({"accuracy": {"least": 0.9}}))
    assert "accuracy is 0.89996, and the limit is at least 0.9" in verdict(table)


def test_findings_are_those_of_their_model_in_any_order() -> None:
    of_models = {
        f"{name}.findings": findings_of(
            measures=dict.fromkeys(MEASURES, Measured(value=value))
        ).model_dump(mode="json")
        for name, value in (("b", 0.1), ("a", 0.9))
    }
    grid = Grid(models=("a", "b"), generators=(), runs=1, judges=("lenet",))
    table = check_limits(grid=grid, gate=gate({"accuracy": {"least": 0.5}}), **of_models)
    assert table[["model", "holds"]].to_numpy().tolist() == [["a", True], ["b", False]]

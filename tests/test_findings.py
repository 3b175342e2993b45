from __future__ import annotations

import json
import math

import pytest

from borderline.errors import BorderlineError
from borderline.findings import MEASURES, NONE, Findings, Measured, with_interval
from borderline.measures.intervals import Estimate
from conftest import findings_of


def test_findings_survive_json() -> None:
    findings = findings_of()
    assert Findings(**json.loads(json.dumps(findings.model_dump(mode="json")))) == findings


def test_findings_of_another_version_are_refused_in_a_sentence() -> None:
    with pytest.raises(BorderlineError, match=r"does not fit .* \(made\): write it again"):
        Findings.read({k: v for k, v in findings_of().model_dump().items() if k != "made"})


def test_findings_of_before_sensitivity_have_it_as_unavailable() -> None:
    values = findings_of().model_dump(mode="json")
    for name in ("sensitivity", "specificity"):
        del values["measures"][name]
    measures = Findings.read(values).measures
    assert list(measures) == list(MEASURES)
    assert measures["specificity"] == Measured()


def test_unavailable_measure_is_none_and_not_nan() -> None:
    measured = Measured.of(Estimate(math.nan, math.nan, math.nan), None)
    assert measured == Measured()
    assert measured.text("accuracy") == NONE
    assert Measured.of(Estimate(0.5, math.nan, math.nan), 20.0) == Measured(value=0.5, n=20)


@pytest.mark.parametrize(
    ("form", "ends", "texts"),
    [
        ("{:.1%}", (0.5, 0.25, 0.75), ("50.0 %", "[25.0 %, 75.0 %]")),
        ("{:.2f}", (0.5, None, 0.75), ("0.50", "")),
        ("{:.2f}", (None, 0.25, 0.75), (NONE, "")),
        ("{:.2f}", (math.nan, 0.25, 0.75), (NONE, "")),
        (MEASURES["yield"].form, (-1e-9, -0.5, 0.5), ("0.0 %", "[-50.0 %, 50.0 %]")),
    ],
)
def test_value_is_written_with_its_interval(
    form: str, ends: tuple[float | None, float | None, float | None], texts: tuple[str, str]
) -> None:
    assert with_interval(form, *ends) == texts

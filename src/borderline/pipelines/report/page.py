"""The page: the sections about all models in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml
from pydantic_core import to_jsonable_python

from borderline.findings import Findings
from borderline.pages import rendering
from borderline.pages.banners import banners, headed
from borderline.pages.boundaries import borderline_in_words, middle_of_scale
from borderline.pages.verdicts import verdicts_in_short
from borderline.params import CallParams, RunParams
from borderline.pipelines.report.advice import (
    in_short,
    limits_of_method,
    limits_of_model,
    repaired_first,
)
from borderline.pipelines.report.trust import LEAST_STABILITY

PACKAGE = "borderline.pipelines.report"
View = dict[str, Any]
"""A section of the page, in JSON's types."""


class Model(NamedTuple):
    """A model under test: its findings, its sections, and whether it has a page of combinations."""

    name: str
    findings: Findings
    model: View
    generators: View
    patterns: View
    errors: View
    validation: View
    has_combinations: bool = False


class Origin(NamedTuple):
    """The origin of the findings: the command that reproduces them, the machine, the settings."""

    command: str
    device: str
    installation: dict[str, Any]
    parameters: dict[str, Any]

    @classmethod
    def of(
        cls,
        call: CallParams,
        run: RunParams,
        installation: dict[str, Any],
        parameters: dict[str, Any],
    ) -> Origin:
        """The origin of a run; settings that Kedro made typed become plain values."""
        device = str(run.torch_device())
        listed = {name: parameters[name] for name in call.listed}
        return cls(call.command(), device, installation, to_jsonable_python(listed))

    def settings(self) -> str:
        """Every setting that can change a result, as YAML."""
        return str(yaml.safe_dump(self.parameters, sort_keys=False, allow_unicode=True))


def render(models: Sequence[Model], origin: Origin) -> str:
    """The whole page about at least one model."""
    findings = {model.name: model.findings for model in models}
    return rendering.render(
        PACKAGE,
        "report.html",
        models=models,
        origin=origin,
        first=models[0].findings,
        in_short=in_short,
        limits_of_model=limits_of_model,
        limits_of_method=limits_of_method,
        repaired_first=repaired_first,
        least_stability=LEAST_STABILITY,
        verdicts_in_short=verdicts_in_short,
        banners=banners(findings),
        middle=middle_of_scale(findings),
        borderline=borderline_in_words(findings),
        headed=headed,
        headline=headed("Where, how and why is the model unsure?", *findings.values()),
    )

"""The page: views of all models in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml
from pydantic_core import to_jsonable_python

from borderline.findings import Findings
from borderline.pages import rendering
from borderline.params import CallParams, RunParams
from borderline.pipelines.report.advice import in_short, limits_of_method, limits_of_model
from borderline.pipelines.report.views import View

PACKAGE = "borderline.pipelines.report"


class Model(NamedTuple):
    """A model under test and what there is to show of it."""

    name: str
    findings: Findings
    model: View
    generators: View
    patterns: View
    validation: View


class Origin(NamedTuple):
    """Where the findings come from.

    Attributes:
        command: What makes them again.
        device: Where the report computed.
        installation: As ``datasets.Installation`` loads it.
        parameters: The settings of the run that the page lists.
    """

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
        """The same, in which settings are plain values, though Kedro typed some of them."""
        device = str(run.torch_device())
        listed = {name: parameters[name] for name in call.listed}
        return cls(call.command(), device, installation, to_jsonable_python(listed))

    def settings(self) -> str:
        """The settings as YAML."""
        return str(yaml.safe_dump(self.parameters, sort_keys=False, allow_unicode=True))


def render(models: Sequence[Model], origin: Origin) -> str:
    """The whole page.

    Args:
        models: At least one.
        origin: Where their findings come from.
    """
    return rendering.render(
        PACKAGE,
        "report.html",
        models=models,
        origin=origin,
        first=models[0].findings,
        in_short=in_short,
        limits_of_model=limits_of_model,
        limits_of_method=limits_of_method,
    )

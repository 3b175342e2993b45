"""The page: views of all models in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml
from pydantic_core import to_jsonable_python

from borderline.findings import Findings
from borderline.pages import rendering
from borderline.params import CHANGE_NO_RESULT, CallParams, RunParams
from borderline.pipelines.report.advice import in_short, limits_of_method, limits_of_model
from borderline.pipelines.report.views import View

PACKAGE = "borderline.pipelines.report"
# Users set none of the first.
_NOT_SHOWN = {"runs", "call", "pairing"} | CHANGE_NO_RESULT


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
        parameters: Every setting of the run.
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
        return cls(call.command(), device, installation, to_jsonable_python(parameters))

    def settings(self) -> str:
        """Every setting, as YAML."""
        shown = {name: own for name, own in self.parameters.items() if name not in _NOT_SHOWN}
        return str(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))


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

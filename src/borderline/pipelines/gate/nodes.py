"""The node of the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

    from borderline.grid import Grid
    from borderline.pipelines.gate.params import GateParams


def check_limits(*, grid: Grid, gate: GateParams, **findings: dict[str, Any]) -> DataFrame:
    """Check all limits for all models; a hook ends the run with status 3 where one is broken."""
    from borderline.findings import Findings
    from borderline.pipelines.gate.limits import check

    by_model = {model: Findings.read(findings[f"{model}.findings"]) for model in grid.models}
    return check(by_model, gate)

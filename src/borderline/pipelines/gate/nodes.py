"""The node of the gate."""

from __future__ import annotations

from typing import Any

import pandas as pd

from borderline.findings import Findings
from borderline.grid import Grid
from borderline.pipelines.gate.limits import check
from borderline.pipelines.gate.params import GateParams


def check_limits(grid: Grid, gate: GateParams, *findings: dict[str, Any]) -> pd.DataFrame:
    """Every limit for every model; the run ends with an exit status of its own where one is broken.

    Args:
        grid: Names the models.
        gate: The limits.
        findings: About each model.
    """
    found = (Findings.read(own) for own in findings)
    return check(dict(zip(grid.models, found, strict=True)), gate)

"""The gate: all limits for all models under test."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.grid import current, for_all, node
from borderline.pipelines.gate import nodes


def create_pipeline() -> Pipeline:
    """Check the findings of the last run against the limits."""
    findings = [f"{model}.findings" for model in current().models]
    gate = node(nodes.check_limits, "gate_table", more={name: name for name in findings})
    return for_all("gate", Pipeline([gate]))

"""The gate: every limit for every model under test."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import current, for_all
from borderline.pipelines.gate import nodes


def create_pipeline() -> Pipeline:
    """Hold the findings of the last run against the limits."""
    gate = Pipeline(
        [
            Node(
                nodes.check_limits,
                inputs=[
                    "params:grid",
                    "params:gate",
                    *(f"{model}.findings" for model in current().models),
                ],
                outputs="gate",
                name="check_limits",
            )
        ]
    )
    return for_all("gate", gate)

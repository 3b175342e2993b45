"""The project's pipelines: one per stage, and the whole run."""

from __future__ import annotations

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

BESIDE = ("compare", "explain_images", "gate", "rating", "repair", "suite")
"""Pipelines that are not part of ``kedro run``: they take finished runs."""

STAGES = ("classifier", "gasten", "metrics", "clustering", "prototypes", "report")


def register_pipelines() -> dict[str, Pipeline]:
    """``__default__``, which is all stages; the stages in their order; and the others."""
    pipelines = find_pipelines(raise_errors=True)
    stages = {name: pipelines[name] for name in STAGES}
    beside = {name: pipelines[name] for name in BESIDE}
    return {"__default__": Pipeline(stages.values()), **stages, **beside}

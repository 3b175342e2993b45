"""The project's pipelines: one a stage, and the whole road."""

from __future__ import annotations

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

BESIDE = ("compare", "gate")
"""Pipelines beside the road, for finished runs."""

STAGES = ("classifier", "gasten", "metrics", "clustering", "prototypes", "report")


def register_pipelines() -> dict[str, Pipeline]:
    """The stages in the order of the road, ``__default__``, all of them together, and what is
    beside the road."""
    found = find_pipelines(raise_errors=True)
    stages = {name: found[name] for name in STAGES}
    beside = {name: found[name] for name in BESIDE}
    return {"__default__": sum(stages.values(), Pipeline([])), **stages, **beside}

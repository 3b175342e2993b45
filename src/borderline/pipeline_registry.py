"""The project's pipelines: one a stage, and the whole road."""

from __future__ import annotations

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

STAGES = ("classifier", "gasten", "metrics", "clustering", "prototypes")


def register_pipelines() -> dict[str, Pipeline]:
    """The stages in the order of the road, and ``__default__``, all of them together."""
    found = find_pipelines(raise_errors=True)
    stages = {name: found[name] for name in STAGES}
    return {"__default__": sum(stages.values(), Pipeline([])), **stages}

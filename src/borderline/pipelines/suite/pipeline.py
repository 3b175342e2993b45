"""The suite of each model under test."""

from __future__ import annotations

from kedro.pipeline import Pipeline


def create_pipeline() -> Pipeline:
    """Freeze the findings about each model; nothing without a context."""
    return Pipeline([])

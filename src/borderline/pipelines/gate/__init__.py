"""Beside the road: limits on what a run found, for continuous integration to stop at."""

from borderline.pipelines.gate.pipeline import create_pipeline

__all__ = ["create_pipeline"]

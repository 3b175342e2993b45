"""Optional: limits on the measures of a run, at which continuous integration can stop."""

from borderline.pipelines.gate.pipeline import create_pipeline

__all__ = ["create_pipeline"]

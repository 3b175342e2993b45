"""Stage 6: one page for people, and the same findings for programs and model hubs."""

from borderline.pipelines.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]

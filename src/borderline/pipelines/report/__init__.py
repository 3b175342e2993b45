"""Stage 6: one page a person reads, and the same findings for machines and model hubs."""

from borderline.pipelines.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]

"""Stage 3: judges every generator, and picks one for each model."""

from borderline.pipelines.metrics.pipeline import create_pipeline

__all__ = ["create_pipeline"]

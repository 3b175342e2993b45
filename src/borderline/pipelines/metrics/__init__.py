"""Stage 3: measures all generators, and chooses one for each model."""

from borderline.pipelines.metrics.pipeline import create_pipeline

__all__ = ["create_pipeline"]

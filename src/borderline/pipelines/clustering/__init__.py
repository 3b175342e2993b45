"""Stage 4: finds the patterns in the borderline images of each model."""

from borderline.pipelines.clustering.pipeline import create_pipeline

__all__ = ["create_pipeline"]

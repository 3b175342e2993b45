"""Stage 4: cluster the borderline images of each model into patterns."""

from borderline.pipelines.clustering.pipeline import create_pipeline

__all__ = ["create_pipeline"]

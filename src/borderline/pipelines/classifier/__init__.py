"""Stage 1: trains the models under test, and the judge that measures realism."""

from borderline.pipelines.classifier.pipeline import create_pipeline

__all__ = ["create_pipeline"]

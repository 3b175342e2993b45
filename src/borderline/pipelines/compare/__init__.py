"""Optional: a comparison of two models under test, of one run or of two."""

from borderline.pipelines.compare.pipeline import create_pipeline

__all__ = ["create_pipeline"]

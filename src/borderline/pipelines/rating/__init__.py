"""Optional: a page on which people say what they see, and their answers beside the patterns."""

from borderline.pipelines.rating.pipeline import create_pipeline

__all__ = ["create_pipeline"]

"""Optional: models under test trained again with labelled borderline images, and with controls."""

from borderline.pipelines.repair.pipeline import create_pipeline

__all__ = ["create_pipeline"]

"""Optional: the findings of a run as a suite of images that later models are tested on."""

from borderline.pipelines.suite.pipeline import create_pipeline

__all__ = ["create_pipeline"]

"""Beside the road: two models under test, or two finished runs, side by side."""

from borderline.pipelines.compare.pipeline import create_pipeline

__all__ = ["create_pipeline"]

"""Stage 5: one explained prototype for each pattern, and the summary of the run."""

from borderline.pipelines.prototypes.pipeline import create_pipeline

__all__ = ["create_pipeline"]

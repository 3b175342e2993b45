"""Optional: what would change the decision of a model about images of the user."""

from borderline.pipelines.explain_images.pipeline import create_pipeline

__all__ = ["create_pipeline"]

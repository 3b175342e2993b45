"""Stage 2: a GAN of the pair, steered to the decision boundary of each model under test."""

from borderline.pipelines.gasten.pipeline import create_pipeline

__all__ = ["create_pipeline"]

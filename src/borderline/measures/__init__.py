"""Measures of images and of models, shared by the stages."""

INCEPTION_FEATURES = 2048
"""Width of Inception's embedding; it stands here so that checks before a run need no torch."""

"""Explains prototypes: attributions, and walks to a confident prediction."""

"""Explains prototypes: attributions, and the shortest way to a confident prediction."""

"""Chooses prototypes, and asks whether they are better than random images."""

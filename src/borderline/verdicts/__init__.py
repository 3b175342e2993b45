"""Verdicts on borderline images: whose doubt each image is (docs/verdicts.md)."""

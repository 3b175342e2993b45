"""Suites: frozen findings about a model, on which later models are tested (docs/suite.md)."""

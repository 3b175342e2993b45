"""Runs on request: ``kedro server start``."""

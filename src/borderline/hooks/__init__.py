"""Kedro's hooks of the project, one concern a file."""

"""Runners of Kedro's kind, for more than one machine."""

from borderline.runners.dask_runner import DaskRunner

__all__ = ["DaskRunner"]

"""Kedro runners for several processes and machines."""

from borderline.runners.dask_runner import DaskRunner

__all__ = ["DaskRunner"]

"""Kedro's file datasets, whose save leaves either the old file or the new one, never a half."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from kedro_datasets.json.json_dataset import JSONDataset as _JSONDataset
from kedro_datasets.matplotlib.matplotlib_dataset import MatplotlibDataset as _MatplotlibDataset
from kedro_datasets.pandas.csv_dataset import CSVDataset as _CSVDataset
from kedro_datasets.pickle.pickle_dataset import PickleDataset as _PickleDataset


class AtomicSave:
    """Mixin for file datasets: saves beside the target, then renames.

    The name beside keeps the suffix, since some writers choose their format by it.
    """

    _filepath: PurePosixPath
    _fs: AbstractFileSystem

    def save(self, data: Any) -> None:
        """Save ``data``; when saving fails or the process dies, the former file stays."""
        target = self._filepath
        beside = _beside(target)
        self._filepath = beside
        try:
            super().save(data)  # type: ignore[misc]
            self._fs.mv(str(beside), str(target))
        finally:
            self._filepath = target
            if self._fs.exists(str(beside)):
                self._fs.rm(str(beside))

    def _write_whole(self, target: PurePosixPath, text: str) -> None:
        beside = _beside(target)
        try:
            with self._fs.open(str(beside), "w", encoding="utf-8") as file:
                file.write(text)
            self._fs.mv(str(beside), str(target))
        finally:
            if self._fs.exists(str(beside)):
                self._fs.rm(str(beside))


def _beside(target: PurePosixPath) -> PurePosixPath:
    return target.with_name(f".{uuid.uuid4().hex}{target.suffix}")


class CSVDataset(AtomicSave, _CSVDataset):
    """``kedro_datasets.pandas.CSVDataset``, saved atomically."""


class JSONDataset(AtomicSave, _JSONDataset):
    """``kedro_datasets.json.JSONDataset``, saved atomically."""


class MatplotlibDataset(AtomicSave, _MatplotlibDataset):
    """``kedro_datasets.matplotlib.MatplotlibDataset``, saved atomically."""


class PickleDataset(AtomicSave, _PickleDataset):
    """``kedro_datasets.pickle.PickleDataset``, saved atomically."""

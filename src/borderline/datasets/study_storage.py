"""The store that an Optuna study lives in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import optuna
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from optuna.storages import BaseStorage


class StudyStorage(AbstractDataset[NoReturn, BaseStorage]):
    """An SQLite file of Optuna studies; every finished trial is in it at once.

    It is there before the first study (the file is made at the first load), so a search can be fed
    the store that it goes on in.

    Args:
        filepath: The SQLite file.
        metadata: Ignored here; read by kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        _, path = get_protocol_and_path(filepath)
        self._filepath = Path(path)
        self.metadata = metadata

    def load(self) -> BaseStorage:
        """Open the store."""
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        return optuna.storages.RDBStorage(f"sqlite:///{self._filepath}")

    def save(self, data: NoReturn) -> NoReturn:
        """Not supported: Optuna writes to the store itself."""
        raise DatasetError("An Optuna store is written by Optuna, not by a node's output.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}

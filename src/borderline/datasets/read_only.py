"""Datasets that are only read."""

from __future__ import annotations

from typing import NoReturn, TypeVar

from kedro.io import AbstractDataset, DatasetError

Content = TypeVar("Content")


class ReadOnlyDataset(AbstractDataset[NoReturn, Content]):
    """A dataset that cannot be saved. It always exists: loading explains what is missing."""

    def save(self, data: NoReturn) -> NoReturn:
        """Not supported."""
        raise DatasetError(f"{type(self).__name__} is only read.")

    def _exists(self) -> bool:
        return True

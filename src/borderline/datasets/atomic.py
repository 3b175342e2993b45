"""Kedro's file datasets, whose save leaves either the old file or the new one, never a half."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, ClassVar

import pandas as pd
from fsspec import AbstractFileSystem
from kedro_datasets.json.json_dataset import JSONDataset as _JSONDataset
from kedro_datasets.matplotlib.matplotlib_dataset import MatplotlibDataset as _MatplotlibDataset
from kedro_datasets.pandas.csv_dataset import CSVDataset as _CSVDataset
from kedro_datasets.pickle.pickle_dataset import PickleDataset as _PickleDataset
from kedro_datasets.text.text_dataset import TextDataset as _TextDataset

_CLIENTS_METHODS = {"_exists_function": "exists", "_glob_function": "glob"}


class AtomicSave:
    """Mixin for file datasets: saves beside the target, then renames.

    The name beside keeps the suffix, since some writers choose their format by it.
    """

    _filepath: PurePosixPath
    _fs: AbstractFileSystem

    def __getstate__(self) -> dict[str, Any]:
        # Methods of a bucket's client cannot be sent to another process, but the client can.
        return {name: own for name, own in self.__dict__.items() if name not in _CLIENTS_METHODS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__.update({own: getattr(self._fs, its) for own, its in _CLIENTS_METHODS.items()})

    def save(self, data: Any) -> None:
        """Save ``data``; when saving fails or the process dies, the former file stays."""
        target = self._filepath
        with self._renamed_to(target) as beside:
            self._filepath = beside
            try:
                super().save(data)  # type: ignore[misc]
            finally:
                self._filepath = target

    @contextmanager
    def _renamed_to(self, target: PurePosixPath) -> Iterator[PurePosixPath]:
        """A path to write to, which takes the target's name once that went well."""
        beside = target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
        try:
            yield beside
            self._fs.mv(str(beside), str(target))
        finally:
            if self._fs.exists(str(beside)):
                self._fs.rm(str(beside))


class CSVDataset(AtomicSave, _CSVDataset):
    """``kedro_datasets.pandas.CSVDataset``, saved atomically; empty text loads as empty text.

    Pandas reads an empty cell as a missing number. In the columns that ``load_args: {dtype: ...}``
    declares as ``str`` it loads as ``""``; a table need not have all these columns.

    Example:
        >>> import pandas as pd
        >>> dataset = CSVDataset(filepath=tmp_path / "x.csv", load_args={"dtype": {"note": str}})
        >>> dataset.save(pd.DataFrame({"images": [7], "note": [""]}))
        >>> dataset.load()["note"].to_list()
        ['']
    """

    def load(self) -> pd.DataFrame:
        """The table."""
        table: pd.DataFrame = super().load()
        types = self._load_args.get("dtype", {})
        text = [str(name) for name in table if types.get(name) in (str, "str")]
        table[text] = table[text].fillna("")
        return table


class JSONDataset(AtomicSave, _JSONDataset):
    """``kedro_datasets.json.JSONDataset``, saved atomically."""


class MatplotlibDataset(AtomicSave, _MatplotlibDataset):
    """``kedro_datasets.matplotlib.MatplotlibDataset``, saved atomically, and loaded as a picture.

    Example:
        >>> from matplotlib.figure import Figure
        >>> dataset = MatplotlibDataset(filepath=tmp_path / "x.png")
        >>> dataset.save(Figure())
        >>> dataset.load()[1:4]
        b'PNG'
    """

    def load(self) -> bytes:
        """The content of the file, for a page or a notebook to show."""
        content: bytes = self._fs.read_bytes(str(self._get_load_path()))
        return content


class PickleDataset(AtomicSave, _PickleDataset):
    """``kedro_datasets.pickle.PickleDataset``, saved atomically."""


class TextDataset(AtomicSave, _TextDataset):
    """``kedro_datasets.text.TextDataset`` in UTF-8, saved atomically."""

    DEFAULT_FS_ARGS: ClassVar[dict[str, Any]] = {
        "open_args_save": {"mode": "w", "encoding": "utf-8", "newline": "\n"},
        "open_args_load": {"mode": "r", "encoding": "utf-8"},
    }

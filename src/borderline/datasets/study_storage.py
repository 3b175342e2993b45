"""The store of Optuna studies: a database, or a journal in a bucket."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import fsspec
import optuna
from kedro.io import DatasetError
from kedro.io.core import get_protocol_and_path
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.storages.journal import BaseJournalBackend, JournalStorage
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from borderline.datasets.atomic import ReadOnlyDataset
from borderline.datasets.buckets import is_bucket

_HEARTBEAT_SECONDS = 60


class StudyStorage(ReadOnlyDataset[BaseStorage]):
    """A database of Optuna studies; a finished trial is saved at once.

    The first load makes the file, so the store exists before the first study and a search can take
    it as an input.

    Args:
        filepath: An SQLite file, for one process at a time; in a bucket, a journal with the suffix
            ``.journal`` replaces it.
        url: The address of a database that several processes share, in SQLAlchemy's form
            (``postgresql://user@host/name``), instead of the file; None for the file.
        credentials: Login of the bucket.
        metadata: Ignored here; read by kedro-viz.

    Example:
        >>> store = StudyStorage(filepath=str(tmp_path / "studies.sqlite")).load()
        >>> store.get_all_studies()
        []
    """

    def __init__(
        self,
        *,
        filepath: str,
        url: str | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._protocol, path = get_protocol_and_path(filepath)
        self._filepath, self._url = Path(path), url
        self._in_bucket = is_bucket(filepath)
        self._credentials = credentials or {}
        self.metadata = metadata

    def load(self) -> BaseStorage:
        """Open the store; a ``DatasetError`` if that fails."""
        if self._in_bucket and self._url is None:
            return self._journal()
        if self._url is None:
            self._filepath.parent.mkdir(parents=True, exist_ok=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                # The heartbeat tells a dead worker's trials from running ones.
                heartbeat = _HEARTBEAT_SECONDS if self._url else None
                url = self._url or self._url_of_file()
                # Optuna takes braces for placeholders.
                url = url.replace("{", "%7B").replace("}", "%7D")
                return optuna.storages.RDBStorage(url, heartbeat_interval=heartbeat)
        except (SQLAlchemyError, ImportError, ValueError, LookupError, RuntimeError) as error:
            store = f"The searches in {self._filepath}"
            remedy = "move that file away to search anew"
            if self._url:
                store = f"study_storage is {self._shown()!r}, but that database"
                remedy = (
                    "correct it in conf/<env>/globals.yml, install its driver, or remove it to "
                    "search in a file"
                )
            reason = str(error).splitlines()[0]
            raise DatasetError(f"{store} cannot be opened ({reason}): {remedy}.") from error

    def check(self) -> None:
        """Check that a file of searches, if it exists, is whole; a ``DatasetError`` if not.

        Optuna would find the damage only after the trainings, or in the middle of a search.
        """
        if self._in_bucket and self._url is None:
            self._journal()
        if not self.is_local_file or not self._filepath.exists():
            return
        try:
            with closing(sqlite3.connect(self._filepath)) as database:
                found = database.execute("PRAGMA quick_check").fetchone()
        except sqlite3.Error as error:
            found = (error,)
        if found != ("ok",):
            reason = str(found[0]).splitlines()[0]
            raise DatasetError(
                f"The searches in {self._filepath} cannot be opened ({reason}): move that file "
                "away to search anew."
            )

    def _url_of_file(self) -> str:
        """The address of the file, in which odd characters of its path are encoded."""
        url = URL.create("sqlite", database=str(self._filepath.absolute()))
        return url.render_as_string(hide_password=False)

    def _journal(self) -> BaseStorage:
        path = str(self._filepath.with_suffix(".journal"))
        try:
            fs = fsspec.filesystem(self._protocol, **self._credentials)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                return JournalStorage(BucketJournal(fs, path))
        except (OSError, ImportError, ValueError, LookupError, TypeError) as error:
            raise DatasetError(
                f"The searches in {self._protocol}://{path} cannot be opened ({error}): move that "
                "file away to search anew."
            ) from error

    @property
    def is_local_file(self) -> bool:
        """Whether the store is a file, which several machines cannot share."""
        return self._url is None and not self._in_bucket

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath} if self._url is None else {"url": self._shown()}

    def _shown(self) -> str:
        """The address without its user and its options, which can hold a password."""
        assert self._url is not None
        scheme, separator, rest = self._url.partition("?")[0].partition("://")
        return scheme + separator + rest.rpartition("@")[2]


class BucketJournal(BaseJournalBackend):
    """Optuna's journal as one object of a bucket; every addition writes the whole object again.

    Only one process at a time can use it: a second one would not see the first one's additions.
    """

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str) -> None:
        self._fs, self._path = fs, path
        text = fs.cat_file(path).decode() if fs.exists(path) else ""
        self._logs: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """The entries from a number on."""
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries."""
        self._logs = [*self._logs, *logs]
        content = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in self._logs)
        self._fs.pipe_file(self._path, content.encode())

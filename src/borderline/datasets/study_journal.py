"""A journal of Optuna as one object of a bucket, where no database can live."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fsspec import AbstractFileSystem
from optuna.storages.journal import BaseJournalBackend


class BucketJournal(BaseJournalBackend):
    """Optuna's journal, put as a whole each time something is added to it.

    It is for one process at a time: a second one would not see what the first adds.

    Args:
        fs: The bucket.
        path: The object; none there is an empty journal.
    """

    def __init__(self, fs: AbstractFileSystem, path: str) -> None:
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

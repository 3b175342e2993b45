"""Optuna's journal as one object of a bucket, which cannot hold a database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fsspec import AbstractFileSystem
from optuna.storages.journal import BaseJournalBackend


class BucketJournal(BaseJournalBackend):
    """Optuna's journal; every addition writes the whole object again.

    Only one process at a time can use it: a second one would not see the first one's additions.

    Args:
        fs: The bucket.
        path: The object; a missing object is an empty journal.
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

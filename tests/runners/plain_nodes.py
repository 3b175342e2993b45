"""Nodes that workers can import: one thing each."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from distributed import get_worker

from borderline.errors import BorderlineError
from borderline.streaming import streams


@streams("history_table", step="epoch", total=lambda: 1)
def train(_: int) -> str:
    """Where a training runs."""
    return str(get_worker().name)


def one_more(number: int) -> int:
    return number + 1


def fails(_: int) -> int:
    try:
        raise BorderlineError("alpha is 3, but it must be 4: correct it.")
    except BorderlineError as error:
        raise RuntimeError("wrapped") from error


def fails_once(marker: str) -> int:
    if not Path(marker).exists():
        Path(marker).touch()
        raise RuntimeError("the network is down")
    return 1


def counts_slowly(_: int) -> Iterator[int]:
    for number in range(600):
        time.sleep(0.1)
        yield number


def fails_late(other: str) -> int:
    """Fails once another node has left something at that path."""
    deadline = time.monotonic() + 120
    while not Path(other).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    raise BorderlineError("beta is 1, but it must be 2: correct it.")


def dies(_: int) -> int:
    os._exit(9)

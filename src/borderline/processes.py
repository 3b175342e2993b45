"""Processes as holders of a lock: who they are, and whether they still live."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

UNKNOWN = "?"
"""The start of a process on a system that does not tell it."""


class Holder(BaseModel):
    """A process that holds a lock.

    Attributes:
        key: A text that no other holder has.
        machine: The boot and the container in which ``process`` is a number.
        start: The start of the process, which tells it from a later one with its number.
        since: When it took the lock, for a person.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    key: str
    host: str
    machine: str
    process: int
    start: str
    since: str
    command: str

    def __str__(self) -> str:
        """``host a, process 12, since 2026-01-31 12:00 UTC, command 'kedro run'``."""
        # The file may be from anyone.
        host, since, command = (
            "".join(letter if letter.isprintable() else "?" for letter in text[:120])
            for text in (self.host, self.since, self.command)
        )
        return f"host {host}, process {self.process}, since {since}, command '{command}'"


def this_process() -> Holder:
    """This process as a new holder."""
    return Holder(
        key=uuid.uuid4().hex,
        host=socket.gethostname(),
        machine=_machine(),
        process=os.getpid(),
        start=start_of(os.getpid()) or UNKNOWN,
        since=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:1000],
    )


def start_of(process: int) -> str | None:
    """The start of a process on this machine; None if it has ended, ``?`` if nobody can tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        # A process whose end its parent has not noticed yet is a zombie.
        return None if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError, UnicodeDecodeError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return UNKNOWN


def _machine() -> str:
    """The boot of this machine and the container: containers count their processes from 1."""
    parts = []
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join(parts)

"""One run at a time in a folder: a lock file with host, process, start and command.

A lock needs only what each file system and most buckets have: the exclusive creation of a file. A
run changes a lock only while it holds a second, short-lived lock that is named after the content
that it has read; so of two runs that find the same stale lock, one takes it over.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, ConfigDict, ValidationError

from borderline.errors import BorderlineError
from borderline.processes import UNKNOWN, Holder, start_of, this_process

logger = logging.getLogger(__name__)

RUN_ID = "BORDERLINE_RUN_ID"
"""The environment variable whose value the tasks of one run share; they share its lock too."""

BEAT_SECONDS = 20.0
STALE_SECONDS = 8 * BEAT_SECONDS
"""The lock of another machine is stale after eight missed beats, by the file system's clock."""

_ATTEMPTS = 100
_MOMENT = 0.05  # seconds
_FEWEST_READS = 10  # of a damaged file, which may only be half-written
_LARGEST = 100_000  # bytes


class Record(BaseModel):
    """The content of a lock file: a new ``token`` for each change, the run and its processes."""

    model_config = ConfigDict(frozen=True, strict=True)

    token: str
    run: str
    holders: list[Holder]


class Locked(BorderlineError):
    """Another run holds the lock."""


def shared_run_id() -> str | None:
    """The name of the run that the tasks of a scheduler share; None for a run of its own."""
    environment = os.environ
    if environment.get(RUN_ID):
        return environment[RUN_ID]
    # Airflow sets these for each task.
    names = [environment.get(f"AIRFLOW_CTX_DAG_{end}") for end in ("ID", "RUN_ID")]
    return "/".join(map(str, names)) if all(names) else None


class Lock:
    """A lock file.

    Args:
        fs: The file system of the folder.
        path: The file.
        folder: The folder as the user writes it.
        run: The name of a run whose tasks share the lock; None for a run of its own.
        me: This process.
        sleep: Waits for seconds.

    Attributes:
        lost: Whether another run has taken the lock over.
    """

    def __init__(
        self,
        fs: AbstractFileSystem,
        path: str,
        folder: str,
        *,
        run: str | None = None,
        me: Holder | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._fs, self._path, self._folder, self._sleep = fs, path, folder, sleep
        self._local = isinstance(fs, LocalFileSystem)
        self._me = me or this_process()
        self._run = run or self._me.key
        self._made: list[Path] = []
        self._owner = os.getpid()
        self._end = threading.Event()
        self.lost = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock while the block runs."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def acquire(self) -> None:
        """Take the lock, or a share of it, and keep it alive in the background.

        Raises:
            Locked: When another run holds it.
            BorderlineError: When the folder cannot hold a lock.
        """
        try:
            self._take()
        except BorderlineError:
            raise
        except Exception as error:  # Each driver of a bucket has its own errors.
            raise BorderlineError(
                f"{self._folder} cannot hold the lock of a run ({error}): fix its permissions or "
                "free disk space, or name another data_folder."
            ) from error
        atexit.register(self.release)
        threading.Thread(target=self._keep_alive, name="lock", daemon=True).start()

    def release(self) -> None:
        """Give the lock back, if this process still holds it."""
        if self._owner != os.getpid():
            return  # A process that the run has forked.
        atexit.unregister(self.release)
        self._end.set()
        with suppress(Exception):  # A lock that stays is stale when this process has ended.
            for _ in range(_ATTEMPTS):
                found = self._read()
                if found is None or not self._is_mine(found):
                    break
                left = [holder for holder in found.holders if holder.key != self._me.key]
                if self._swap(found, self._record(left) if left else None):
                    break
                self._sleep(_MOMENT)
        with suppress(OSError):
            while self._made:
                self._made.pop().rmdir()

    def check_free(self) -> None:
        """Make sure that no run holds the lock; take nothing.

        Raises:
            Locked: When a run holds it.
        """
        found = self._read()
        if found is not None and not self._why_stale(found):
            raise self._locked(found)

    def beat(self) -> None:
        """Show that this process lives."""
        found = self._read()
        if found is None or not self._is_mine(found):
            self.lost = True
        elif self._local:
            os.utime(self._path)  # by the clock of the file system
        else:
            self._swap(found, self._record(found.holders))

    def _keep_alive(self) -> None:
        while not self.lost and not self._end.wait(BEAT_SECONDS):
            with suppress(Exception):  # The next beat may succeed.
                self.beat()

    def _take(self) -> None:
        self._make_folder()
        unreadable = 0
        for _ in range(_ATTEMPTS):
            found = self._read()
            if found is None:
                if self._create(self._record([self._me])):
                    return
            elif not found.holders and (unreadable := unreadable + 1) < _FEWEST_READS:
                pass
            elif found.run == self._run:
                alive = [holder for holder in found.holders if not self._ended(holder)]
                if self._swap(found, self._record([*alive, self._me])):
                    return
            elif reason := self._why_stale(found):
                if self._swap(found, self._record([self._me])):
                    logger.warning("Took over a stale lock: %s (%s).", reason, _shown(found))
                    return
            else:
                raise self._locked(found)
            self._sleep(_MOMENT)
        raise BorderlineError(
            f"{self._path} cannot be taken as the lock of this run: remove it if no run writes to "
            f"{self._folder}."
        )

    def _locked(self, found: Record) -> Locked:
        if not found.holders:
            return Locked(
                f"{self._path} is damaged, so another run may be writing to {self._folder}: remove "
                f"that file if none is, or run again in {STALE_SECONDS:.0f} seconds."
            )
        return Locked(
            f"{self._folder} is in use by another run ({_shown(found)}): wait for its end or stop "
            "it, or give this run another data_folder."
        )

    def _why_stale(self, found: Record) -> str:
        """The reason why no process holds a lock any more; empty if one may."""
        ended = [self._ended(holder) for holder in found.holders]
        if False in ended:
            return ""
        if ended and all(ended):
            return "its process has ended"
        age = self._age()
        if age is not None and -1 <= age <= STALE_SECONDS:
            return ""
        # The clock may have jumped, so the file itself must stay as it is for a while.
        logger.info("%s seems to be stale: waiting for a sign of its run.", self._path)
        before = self._changed()
        self._sleep(1.5 * BEAT_SECONDS)
        same = self._changed() == before and self._read() == found
        return "its run gives no sign of life" if same else ""

    def _ended(self, holder: Holder) -> bool | None:
        """Whether a process has ended; None if only its beats can tell."""
        if (holder.host, holder.machine) != (self._me.host, self._me.machine):
            return None
        start = start_of(holder.process)
        if start is None:
            return True
        return None if UNKNOWN in (start, holder.start) else start != holder.start

    def _is_mine(self, found: Record) -> bool:
        return any(holder.key == self._me.key for holder in found.holders)

    def _record(self, holders: list[Holder]) -> Record:
        return Record(token=uuid.uuid4().hex, run=self._run, holders=holders)

    def _swap(self, found: Record, new: Record | None) -> bool:
        """Replace or remove the content that was read; False if it has changed since."""
        path = f"{self._path}.{found.token}"
        claim = Lock(self._fs, path, self._folder, me=self._me, sleep=self._sleep)
        try:
            claim._take()
        except Locked:
            return False
        try:
            now = self._read()
            if now is None or now.token != found.token:
                return False
            if new is None:
                self._fs.rm_file(self._path)
            else:
                self._replace(new)
            return True
        finally:
            self._fs.rm_file(path)

    # The files.

    def _make_folder(self) -> None:
        if self._local:
            parents = Path(self._path).parents
            missing = [parent for parent in parents if not parent.exists()]
            for folder in reversed(missing):
                folder.mkdir(exist_ok=True)
                self._made.append(folder)

    def _create(self, record: Record) -> bool:
        content = record.model_dump_json().encode()
        try:
            if not self._local:
                self._fs.pipe_file(self._path, content, mode="create")
                # A bucket that knows no conditional writes keeps the last one.
                return self._read() == record
            try:
                with Path(self._path).open("xb") as file:
                    file.write(content)
            except FileNotFoundError:  # Another run has removed the empty folder.
                self._make_folder()
                return False
        except FileExistsError:
            return False
        return True

    def _replace(self, record: Record) -> None:
        content = record.model_dump_json().encode()
        if not self._local:
            self._fs.pipe_file(self._path, content)
            return
        beside = Path(f"{self._path}.{uuid.uuid4().hex}")
        try:
            beside.write_bytes(content)
            beside.replace(self._path)
        finally:
            beside.unlink(missing_ok=True)

    def _read(self) -> Record | None:
        """The content; without holders for a damaged file, None for none."""
        try:
            if self._local:
                about = Path(self._path).stat()
                if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
                    raise BorderlineError(
                        f"{self._path} is not the lock of a run, so nothing protects "
                        f"{self._folder}: move it away."
                    )
            raw: bytes = self._fs.cat_file(self._path)
        except FileNotFoundError:
            return None
        try:
            return Record.model_validate_json(raw)
        except ValidationError:
            return Record(token=hashlib.sha256(raw).hexdigest()[:32], run="", holders=[])

    def _changed(self) -> datetime | None:
        return self._modified(self._path)

    def _modified(self, path: str) -> datetime | None:
        self._fs.invalidate_cache(path.rpartition("/")[0])
        try:
            modified: datetime = self._fs.modified(path)
        except FileNotFoundError:
            return None
        return modified

    def _age(self) -> float | None:
        """The seconds since the last beat, by the clock of the file system."""
        changed, probe = self._changed(), f"{self._path}.{uuid.uuid4().hex}"
        try:
            self._fs.pipe_file(probe, b"")
            now = self._modified(probe)
        finally:
            with suppress(Exception):
                self._fs.rm_file(probe)
        return (now - changed).total_seconds() if now and changed else None


def _shown(found: Record) -> str:
    return str(found.holders[0]) if found.holders else "a damaged file"

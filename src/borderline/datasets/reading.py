"""Reads the files of a data set: regular files of its own folder, up to a size."""

from __future__ import annotations

import os
import posixpath
from pathlib import PurePath
from typing import Any, NamedTuple

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from borderline.errors import BorderlineError

# Without this flag, opening a pipe waits for its writer. Windows has no such flag.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)


class Unreadable(Exception):
    """An image or a table that cannot be read; the text is the reason, for a message."""


class Folder(NamedTuple):
    """The folder that holds all files of a data set.

    A data set of somebody else may name other files of this machine, such as a private picture. So
    a path that leaves the folder is refused, also through a link in it. The folder itself may be a
    link.

    Attributes:
        fs: The file system of fsspec.
        path: The folder there, where relative paths start.
        also: Another folder whose files may be read, the setting ``source.folder``.
    """

    fs: Any
    path: str
    also: str | None = None

    def read(self, file: str, most: int) -> bytes:
        """The content of a file.

        Args:
            file: Its path on the file system.
            most: The greatest size in bytes.

        Raises:
            Unreadable: When it lies outside of the folder, is no regular file or is too large.
        """
        self.check(file)
        return read_regular(self.fs, file, most)

    def check(self, file: str) -> None:
        """Check that a file lies in the folder.

        Raises:
            Unreadable: When it does not.
        """
        if not self._holds(file):
            raise Unreadable(
                f"it lies in {PurePath(self._real(file)).parent}, outside of {self.path}; if you "
                "trust the data set, set source.folder to a folder that holds it"
            )

    def _holds(self, file: str) -> bool:
        folders = [self.path] if self.also is None else [self.path, self.also]
        try:
            place = PurePath(self._real(file))
        except ValueError as error:  # The character 0, or half of a character.
            raise Unreadable("no file can have this name") from error
        return any(place.is_relative_to(self._real(folder)) for folder in folders)

    def _real(self, path: str) -> str:
        """The path without links."""
        local = isinstance(self.fs, LocalFileSystem)
        return os.path.realpath(path) if local else posixpath.normpath(path)

    def place(self, name: str) -> str:
        """The path of a file on the file system, from a relative path or an address.

        Raises:
            Unreadable: When the address is on another file system.
        """
        if "://" in name or "::" in name:
            # An address is compared and never opened: opening it may connect to a server.
            protocol, _, rest = name.partition("://")
            known = self.fs.protocol
            if "::" in name or protocol not in ((known,) if isinstance(known, str) else known):
                raise Unreadable(f"it is the address {name[:80]}; only paths are read")
            return str(self.fs._strip_protocol(f"{protocol}://{rest}"))
        return name if name.startswith("/") else f"{self.path.rstrip('/')}/{name}"


def other_folder(address: str) -> tuple[Any, str]:
    """The file system and the path of the setting ``source.folder``.

    Raises:
        BorderlineError: When no driver of fsspec knows the address.
    """
    try:
        fs, path = url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise BorderlineError(
            f"source.folder is {address!r}, which cannot be read ({error}): name another folder."
        ) from error
    return fs, str(path)


def read_regular(fs: Any, path: str, most: int) -> bytes:
    """The content of a regular file of at most ``most`` bytes.

    Raises:
        Unreadable: When it is a device, a pipe, a socket or a folder, or too large.
    """
    if isinstance(fs, LocalFileSystem):
        if not os.path.exists(path):  # noqa: PTH110
            raise Unreadable("there is no such file")
        if not os.path.isfile(path):  # noqa: PTH113
            raise Unreadable("there is no regular file, but a folder, a device or a pipe")
        with open(path, "rb", opener=_opened_at_once) as file:
            size = os.fstat(file.fileno()).st_size
            content = b"" if size > most else file.read(size + 1)
    else:
        with fs.open(path, "rb") as file:
            content = file.read(most + 1)
            size = len(content)
    if max(size, len(content)) > most:
        raise Unreadable(f"it has more than {most / 2**20:,.0f} MB")
    return bytes(content)


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | _AT_ONCE)

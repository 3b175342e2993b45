"""Suites on disk: folders of files with digests, and the versions of one suite."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from kedro_datasets._typing import ImagePreview

from borderline.datasets.atomic import ReadOnlyDataset
from borderline.datasets.limits import memory
from borderline.datasets.reading import Folder, Unreadable
from borderline.datasets.tensors import png_of_grid
from borderline.errors import BorderlineError

IMAGES, ITEMS, CARD, DIGESTS = "images.safetensors", "suite.json", "README.md", "digests.json"
_NAMES = (IMAGES, ITEMS, CARD, DIGESTS)
_LARGEST = {ITEMS: 2**26, CARD: 2**22, DIGESTS: 2**12}
"""Bytes of each file; the images must fit into the memory."""
_VERSION = re.compile(r"v([1-9][0-9]{0,8})")
_COPY = "copy the whole folder from its source again, or freeze a new suite"

_PREVIEW_IMAGES = 64

Files = Mapping[str, bytes]
"""The content of each file of a suite, by name."""


def with_digests(files: Files) -> dict[str, bytes]:
    """The files with one more, which has the SHA-256 of each.

    Example:
        >>> sorted(with_digests({"suite.json": b"{}"}))
        ['digests.json', 'suite.json']
    """
    return {**files, DIGESTS: _as_json({n: _sha256(content) for n, content in files.items()})}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _as_json(digests: Mapping[str, str]) -> bytes:
    return (json.dumps(digests, indent=2, sort_keys=True) + "\n").encode()


def read_files(folder: str) -> dict[str, bytes]:
    """The files of a suite, whole and as they were written.

    Args:
        folder: The path of the folder, or its address in a bucket.

    Raises:
        BorderlineError: When there is no suite, or when a file is missing, strange or changed.
    """
    try:
        fs, path = url_to_fs(folder)
        found = _read(fs, str(path).rstrip("/"), folder)
    except BorderlineError:
        raise
    # Each driver has its own errors.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BorderlineError(
            f"The suite {folder} cannot be read ({reason[:160]}): correct its path, or {_COPY}."
        ) from error
    _check_digests(found, folder)
    return found


def _read(fs: Any, path: str, folder: str) -> dict[str, bytes]:
    if not fs.isdir(path):
        raise BorderlineError(f"The suite {folder} is no folder: name the folder of a suite.")
    names = _entries(fs, path)
    versions = [name for name in names if _VERSION.fullmatch(name)]
    if versions and DIGESTS not in names:
        newest = max(versions, key=_number)
        raise BorderlineError(
            f"The folder {folder} holds the suites {', '.join(sorted(versions, key=_number))}: "
            f"name one of them, such as {folder.rstrip('/')}/{newest}."
        )
    if not {ITEMS, DIGESTS} & set(names):
        raise BorderlineError(
            f"The folder {folder} holds no suite, because it has no file {ITEMS}: name the folder "
            "of a version of a suite, such as suites/v1."
        )
    for name in sorted(set(names) - set(_NAMES)):
        raise BorderlineError(
            f"The suite {folder} has an entry {name!r}, which is no file of a suite: remove it."
        )
    return {name: _content(fs, path, name, folder) for name in _NAMES if name in names}


def _content(fs: Any, path: str, name: str, folder: str) -> bytes:
    """The content of a regular file in the folder, up to its largest size."""
    file, place = f"{path}/{name}", Folder(fs, path)
    try:
        place.check(file)
    except Unreadable as error:
        raise BorderlineError(
            f"The file {name} of the suite {folder} is a link that leaves the folder: put the "
            "file itself there."
        ) from error
    try:
        return place.read(file, _LARGEST.get(name, memory()))
    except Unreadable as error:
        raise BorderlineError(
            f"The file {name} of the suite {folder} cannot be read ({error}): {_COPY}."
        ) from error


def _check_digests(files: Files, folder: str) -> None:
    for name in _NAMES:
        if name not in files:
            raise BorderlineError(f"The suite {folder} has no file {name}: {_COPY}.")
    if b"\r\n" in files[DIGESTS]:
        raise BorderlineError(
            f"The file {DIGESTS} of the suite {folder} has other line endings than the suite was "
            "written with, as Git makes them with core.autocrlf: add the line `suites/** -text`, "
            "with the path of your suites, to .gitattributes, and check the files out again."
        )
    try:
        digests = json.loads(files[DIGESTS])
        is_sound = set(digests) == set(_NAMES) - {DIGESTS} and _as_json(digests) == files[DIGESTS]
    except (ValueError, TypeError, RecursionError):
        is_sound = False
    if not is_sound:
        raise BorderlineError(
            f"The file {DIGESTS} of the suite {folder} was changed or damaged after the suite was "
            f"written: {_COPY}."
        )
    for name, digest in digests.items():
        if _sha256(files[name]) != digest:
            raise BorderlineError(
                f"The file {name} of the suite {folder} was changed or damaged after the suite "
                f"was written, because its SHA-256 is not the one in {DIGESTS}: {_COPY}."
            )


def write_files(files: Files, folder: Path) -> None:
    """Write the files of a suite to a folder of this machine, which appears when it is whole.

    Raises:
        FileExistsError: When the folder is there already.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{uuid.uuid4().hex}")
    temporary.mkdir()
    try:
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        # A rename would replace an empty folder.
        if os.path.lexists(folder):
            raise FileExistsError(folder)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


class SuiteFolder(AbstractDataset[Files, dict[str, bytes]]):
    """The versions ``v1``, ``v2``, ... of a suite, each a folder of files that nothing changes.

    Saving makes the next version, unless the newest one has the same content. Loading gives the
    newest one. In a bucket, which cannot rename a folder, the file of digests is written last; a
    version without it is none.

    Args:
        path: The folder of the versions, or its address in a bucket.
        credentials: Login of the file system.
        metadata: Marks for the hooks, and for kedro-viz.

    Example:
        >>> dataset = SuiteFolder(path=str(tmp_path / "suites"))
        >>> for content in (b"{}", b"{}", b"[]"):
        ...     dataset.save(with_digests({"suite.json": content}))
        >>> sorted(folder.name for folder in (tmp_path / "suites").iterdir())
        ['v1', 'v2']
    """

    # The digests stand for the other files in the ledger.
    _filename_suffix: ClassVar[str] = DIGESTS

    def __init__(
        self,
        *,
        path: str,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._protocol, where = get_protocol_and_path(path)
        self._path = where.rstrip("/")
        self._filesystem = fsspec.filesystem(self._protocol, **(credentials or {}))
        self.metadata = metadata

    @property
    def _normalized_path(self) -> str:
        return self._path

    @property
    def _filepath(self) -> PurePosixPath:
        """The folder of the newest version, for the end of a run."""
        newest = self._newest()
        return PurePosixPath(self._path) / newest if newest else PurePosixPath(self._path)

    def load(self) -> dict[str, bytes]:
        """The files of the newest version, unchecked."""
        newest = self._newest()
        if newest is None:
            raise DatasetError(f"No suite is in {self._path}: run `kedro run --pipelines suite`.")
        return self._files(newest)

    def save(self, data: Files) -> None:
        """Write the next version, unless the newest one is the same."""
        newest = self._newest()
        if newest is not None and self._files(newest) == data:
            return
        taken = [_number(name) for name in self._entries() if _VERSION.fullmatch(name)]
        number = max(taken, default=0) + 1
        if not isinstance(self._filesystem, LocalFileSystem):
            for name in sorted(data, key=lambda name: name == DIGESTS):
                self._filesystem.pipe_file(f"{self._path}/v{number}/{name}", data[name])
            return
        write_files(data, Path(self._path) / f"v{number}")

    def preview(self) -> ImagePreview:
        """The first images of the newest version as one PNG, base64-encoded."""
        from safetensors.torch import load

        images = load(self.load()[IMAGES])["images"][:_PREVIEW_IMAGES]
        return ImagePreview(base64.b64encode(png_of_grid(images)).decode())

    def _files(self, version: str) -> dict[str, bytes]:
        folder = f"{self._path}/{version}"
        files = [
            n
            for n in _entries(self._filesystem, folder)
            if self._filesystem.isfile(f"{folder}/{n}")
        ]
        return {name: self._filesystem.cat_file(f"{folder}/{name}") for name in files}

    def _newest(self) -> str | None:
        whole = [
            name
            for name in self._entries()
            if _VERSION.fullmatch(name)
            and self._filesystem.isfile(f"{self._path}/{name}/{DIGESTS}")
        ]
        return max(whole, key=_number, default=None)

    def _entries(self) -> list[str]:
        # Other processes may have written since this one last listed the bucket.
        self._filesystem.invalidate_cache()
        return _entries(self._filesystem, self._path) if self._filesystem.isdir(self._path) else []

    def _exists(self) -> bool:
        return self._newest() is not None

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path, "protocol": self._protocol}


class SuiteFolders(ReadOnlyDataset[dict[str, dict[str, bytes]]]):
    """The files of several suites by folder, each whole and as it was written.

    Args:
        paths: The path or address of each folder, by its name in the settings.
        metadata: Ignored here; read by kedro-viz.

    Example:
        >>> SuiteFolders(paths={}).load()
        {}
    """

    def __init__(self, *, paths: Mapping[str, str], metadata: dict[str, Any] | None = None) -> None:
        self._paths = dict(paths)
        self.metadata = metadata

    def load(self) -> dict[str, dict[str, bytes]]:
        """The files of each suite by name; see :func:`read_files`."""
        return {name: read_files(path) for name, path in self._paths.items()}

    def _describe(self) -> dict[str, Any]:
        return {"paths": self._paths}


def _entries(fs: Any, folder: str) -> list[str]:
    """The names of all entries of a folder; some buckets list a folder in itself."""
    paths = [str(path).rstrip("/") for path in fs.ls(folder, detail=False)]
    return sorted(path.rpartition("/")[2] for path in paths if path != folder.rstrip("/"))


def _number(version: str) -> int:
    return int(version.removeprefix("v"))

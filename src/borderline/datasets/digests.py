"""Digests of the files of a dataset, which tell whether somebody or something changed them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fsspec import AbstractFileSystem

_CONTENT_HASHES = ("md5Hash", "ETag", "etag", "ContentMD5", "content_md5")
"""Names that drivers of buckets give to a hash which the bucket keeps, the best first."""


class Place(NamedTuple):
    """Where a dataset keeps its content: a file, or a folder of files with a suffix."""

    fs: AbstractFileSystem
    path: str
    is_folder: bool
    suffix: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it is on a file system of this machine, not in a bucket."""
        return "file" in self.fs.protocol

    def holds(self, file: str) -> bool:
        """Whether a file is this one, or in this folder."""
        path: str = self.fs._strip_protocol(self.path)
        return file == path or (self.is_folder and file.startswith(f"{path}/"))

    def files(self) -> dict[str, dict[str, Any]] | None:
        """The facts of the file system about each file by its name; None if no place is there.

        The hidden files that a killed save leaves do not count.
        """
        if not self.is_local:
            # Other processes may have written since this one last listed the bucket.
            self.fs.invalidate_cache()
        found: dict[str, dict[str, Any]] = self.fs.find(self.path, detail=True)
        if not found and not self.fs.exists(self.path):
            return None
        start = self.fs._strip_protocol(self.path)
        names = {file: file.rpartition("/")[2] for file in sorted(found)}
        return {
            file.removeprefix(start).lstrip("/") or name: found[file]
            for file, name in names.items()
            if name.endswith(self.suffix) and not name.startswith(".")
        }


def place_of(dataset: Any) -> Place | None:
    """The place of a dataset's content; None for one that keeps no files, such as memory."""
    if hasattr(dataset, "_filename_suffix"):
        path = str(dataset._normalized_path)
        # A folder of checkpoints from elsewhere may be a single one.
        is_folder = not getattr(dataset, "_is_one_file", False)
        return Place(dataset._filesystem, path, is_folder, dataset._filename_suffix)
    if hasattr(dataset, "_filepath") and hasattr(dataset, "_fs"):
        versioned = getattr(dataset, "_get_load_path", None)
        return Place(dataset._fs, str(versioned() if versioned else dataset._filepath), False)
    return None


def digests_of(dataset: Any) -> dict[str, str] | None:
    """A digest of each file of a dataset, by its name without the folder.

    On this machine it is the SHA-256 of the content. In a bucket, where that would be a download,
    it is the size and the hash that the bucket keeps, such as an ETag.

    Returns:
        ``<kind>:<digest>`` by name; None where nothing is there, or where the bucket keeps no hash.

    Example:
        >>> from borderline.datasets import JSONDataset
        >>> dataset = JSONDataset(filepath=str(tmp_path / "x.json"))
        >>> digests_of(dataset)
        >>> dataset.save([1])
        >>> digests_of(dataset)["x.json"][:16]
        'sha256:bb0fcb9fd'
    """
    place = place_of(dataset)
    files = place.files() if place is not None else None
    if place is None or files is None:
        return None
    kept = {name: _digest(info, place.is_local) for name, info in files.items()}
    return {name: digest for name, digest in kept.items() if digest} if all(kept.values()) else None


def _digest(info: Mapping[str, Any], is_local: bool) -> str | None:
    if is_local:
        with Path(info["name"]).open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    kept = next((info[name] for name in _CONTENT_HASHES if info.get(name)), None)
    return f"bucket:{info['size']}:{kept}" if kept else None

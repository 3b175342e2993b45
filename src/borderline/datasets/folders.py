"""Walks folders of images on any file system."""

from __future__ import annotations

import functools
import logging
import os.path
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from fsspec.implementations.local import LocalFileSystem
from PIL import Image

from borderline.datasets.image_files import FORMATS, HEAD, is_image
from borderline.datasets.limits import DEEPEST
from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

# Made by operating systems, archives, network drives and Python.
_OF_SYSTEMS = {
    *("__macosx", "__pycache__", "@eadir", "#recycle", "@recycle", "$recycle.bin"),
    *("system volume information", "lost+found"),
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
}
_NO_SUFFIX = "no suffix"
_OTHER_IMAGES = {
    *Image.registered_extensions(),
    *(".heic", ".heif", ".avif", ".jxl", ".svg", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
    *(".orf", ".rw2", ".raf", ".nii", ".mha", ".nrrd", ".exr", ".hdr", ".npy"),
    # Archives often drop the suffix.
    _NO_SUFFIX,
}


class Listing(NamedTuple):
    """The visible content of a folder: paths by name, in the order of the names.

    Attributes:
        files: Regular files, and links to them.
        others: Devices, pipes and sockets, which are never opened.
    """

    folders: dict[str, str]
    files: dict[str, str]
    others: dict[str, str]


def listing(fs: Any, folder: str) -> Listing:
    """The content of a folder, without what is hidden or made by a system; links are followed."""
    found = Listing({}, {}, {})
    for entry in sorted(fs.ls(folder, detail=True), key=lambda entry: str(entry["name"])):
        path = entry["name"].rstrip("/")
        name = path.rpartition("/")[2]
        # Some buckets list a folder in itself.
        if path == folder.rstrip("/") or name.startswith(".") or name.lower() in _OF_SYSTEMS:
            continue
        kind = entry["type"]
        if entry.get("islink"):
            # A link to nothing is a file that cannot be read.
            kind = "directory" if fs.isdir(path) else "other" if fs.exists(path) else "file"
            kind = "file" if fs.isfile(path) else kind
        places = {"directory": found.folders, "file": found.files}
        places.get(kind, found.others)[name] = path
    return found


def holds_image(fs: Any, path: str) -> bool:
    """Whether a file is read as an image."""
    return is_image(path.rpartition("/")[2], functools.partial(fs.cat_file, path, end=HEAD))


class Walker:
    """Finds the images of the classes of one source.

    Args:
        fs: The file system.
        root: The folder of the source; a link back to it, or to a folder on the way, is a circle.
        source: The name of the source in messages.
        strict: Whether to refuse a class most of whose images have formats that are not read.
    """

    def __init__(self, fs: Any, root: str, source: str, *, strict: bool) -> None:
        self._fs, self._root, self._source, self._strict = fs, root, source, strict
        self._unread: Counter[str] = Counter()
        self._owners: dict[str, str] = {}

    def images(self, folder: str, owner: str, beside: Collection[str] = ()) -> list[str]:
        """The paths of all images in a folder and its folders, in order.

        Args:
            beside: Names of files in it that are known to be no images.
            owner: The class, and its split if there are some, in messages.

        Raises:
            BorderlineError: When another owner has read a folder, or when too many files are of
                other formats.
        """
        unread: Counter[str] = Counter()
        above = {self._real(parent) for parent in self._parents(folder)}
        images = sorted(self._walk(folder, owner, above, unread))
        unread.subtract(_suffix(name) for name in listing(self._fs, folder).files if name in beside)
        unread = +unread
        self._unread += unread
        alike = {suffix: n for suffix, n in unread.items() if suffix in _OTHER_IMAGES}
        if self._strict and sum(alike.values()) > len(images) > 0:
            raise BorderlineError(
                f"{_counted(alike)} were not read in {folder}, which are more than its "
                f"{len(images)} images: convert them to PNG, or set source.broken to 'leave_out' "
                "to do without them."
            )
        return images

    def report(self) -> None:
        """Log how many files were not read."""
        if self._unread:
            alike = self._unread.keys() & _OTHER_IMAGES
            log = logger.warning if alike else logger.info
            verb = "was" if self._unread.total() == 1 else "were"
            counted, formats = _counted(self._unread), ", ".join(FORMATS)
            log("%s %s not read in %s (%s are)", counted, verb, self._source, formats)

    def _walk(
        self, folder: str, owner: str, above: set[str], unread: Counter[str]
    ) -> Iterator[str]:
        real = self._real(folder)
        first = self._owners.setdefault(real, owner)
        if first != owner:
            raise BorderlineError(
                f"The folder {folder} of {owner} is the same as one of {first} (one is a link to "
                "the other), so its images would be read twice: remove one."
            )
        if len(above) > DEEPEST:
            raise BorderlineError(
                f"source.path is {self._source!r}, whose folders lie more than {DEEPEST} deep in "
                f"each other (in {owner}): move the images up, or remove the folders."
            )
        there = listing(self._fs, folder)
        for name, path in there.files.items():
            if holds_image(self._fs, path):
                yield path
            else:
                unread[_suffix(name)] += 1
        unread.update(map(_suffix, there.others))
        for path in there.folders.values():
            inner = self._real(path)
            if any(f"{outer}/".startswith(f"{inner}/") for outer in above | {real}):
                logger.warning("Left out, because it is a link to a folder above it: %s", path)
            elif self._owners.get(inner) != owner:
                yield from self._walk(path, owner, above | {real}, unread)

    def _parents(self, folder: str) -> Iterator[str]:
        while folder.startswith(self._root) and folder != self._root:
            folder = folder.rpartition("/")[0]
            yield folder

    def _real(self, folder: str) -> str:
        return os.path.realpath(folder) if isinstance(self._fs, LocalFileSystem) else folder


def _suffix(name: str) -> str:
    stem, dot, end = name.rpartition(".")
    return f".{end.lower()}" if stem and dot else _NO_SUFFIX


def _counted(unread: Mapping[str, int]) -> str:
    """For example ``50 files of .heic, 1 file of .txt``."""
    most = sorted(unread.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{n} file{'' if n == 1 else 's'} of {suffix}" for suffix, n in most)

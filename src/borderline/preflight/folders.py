"""Checks that results can stand in the data folder, and in no folder that is something else."""

from __future__ import annotations

import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog

from borderline.datasets.buckets import located
from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.preflight.configuration import Globals, SourceGlobals

_LEAST_FREE_BYTES = 500 * 2**20
_DEEPEST = 300
"""More bytes than the longest path of a result has below its data folder."""
_SOURCES = ("conf", "src", ".git")
_REMEDY = "name another folder in conf/<env>/globals.yml"


def check_folders(catalog: DataCatalog, about: Globals, project: Path) -> None:
    """Check the data folder, a folder of this machine, and the folders of this run in it."""
    folder = Path(about.data_folder)
    check_data_folder(folder)
    check_place(folder, project, about.source)
    ledger: Any = catalog.get("ledger")
    check_own_folder(Path(ledger._path).parent)


def check_data_folder(folder: Path) -> None:
    """Check that results can be written to the data folder, which need not exist yet."""
    _check_length(folder)
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not existing.is_dir():
        kind = (
            "a link to nothing" if existing.is_symlink() and not existing.exists() else "no folder"
        )
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but {existing} cannot be written, because it is "
            f"{kind}: {_REMEDY}."
        )
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but {existing} cannot be written "
            f"({error.strerror}): fix its permissions, or {_REMEDY}."
        ) from error
    free = shutil.disk_usage(existing).free
    if free < _LEAST_FREE_BYTES:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but its disk has only {free / 2**20:.0f} MB left and "
            f"a run needs at least {_LEAST_FREE_BYTES / 2**20:.0f} MB: free disk space, or name a "
            "folder on another disk in conf/<env>/globals.yml."
        )


def _check_length(folder: Path) -> None:
    length, most = len(os.fsencode(folder)), os.pathconf("/", "PC_PATH_MAX")
    if length + _DEEPEST > most:
        raise BorderlineError(
            f"data_folder is {str(folder)[:60]!r} and so on, but it has {length} bytes and the "
            f"paths of the results in it would have more than {most}: {_REMEDY}."
        )


def check_place(folder: Path, project: Path, source: SourceGlobals) -> None:
    """Check that the results do not stand among the project's code or the images of the source."""
    place, home = folder.resolve(), project.resolve()
    taken = {home / name: f"the folder {name} of this project" for name in _SOURCES}
    for images in _image_folders(source):
        taken[Path(located(images, project)).resolve()] = f"the images of source.path {images!r}"
    inside = next((what for path, what in taken.items() if place.is_relative_to(path)), None)
    if place == Path(place.anchor):
        inside = "the root of the file system"
    if place == home:
        inside = "the folder of this project, beside its code"
    if inside is not None:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, so the results would stand in {inside}: {_REMEDY}."
        )


def _image_folders(source: SourceGlobals | None) -> Iterator[str]:
    """The folders in which every image is read."""
    while source is not None:
        if source.kind == "image_folder" and source.path:
            yield source.path
        source = source.otherwise


def check_own_folder(folder: Path) -> None:
    """Check that a run's folder is not that of another name.

    File systems that ignore capital letters take ``Bagv7`` for ``bagv7``.
    """
    if not folder.exists():
        return
    names = [path.name for path in folder.parent.iterdir()]
    if folder.name in (unicodedata.normalize("NFC", name) for name in names):
        return
    same = [name for name in names if name.casefold() == folder.name.casefold()]
    raise BorderlineError(
        f"The results of this run would stand in {folder}, but the file system takes that for "
        f"{(same or ['a folder of another name'])[0]!r}, the folder of another pair or dataset: "
        f"set dataset in conf/<env>/globals.yml to another name, or {_REMEDY}."
    )

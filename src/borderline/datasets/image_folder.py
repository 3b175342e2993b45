"""Images in folders, one for each class."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from fsspec.core import url_to_fs

from borderline.datasets.image_files import (
    EXTENSIONS,
    FORMATS,
    Broken,
    Colour,
    ImageFile,
    Part,
    decode_parts,
    in_order,
)
from borderline.errors import BorderlineError

_PARTS = ("train", "test")


def read_image_folder(
    path: str,
    classes: tuple[str, ...] | None,
    size: int | None,
    colour: Colour | None,
    broken: Broken,
) -> tuple[tuple[str, ...], Part, Part | None]:
    """Read a folder with one folder for each class; or with ``train`` and ``test``, each such one.

    Args:
        path: The folder, or its fsspec address.
        classes: The names of the classes' folders, whose order gives the labels; None for all of
            them by name.
        size: As for :func:`decode_all`, and so are ``colour`` and ``broken``.
        colour: Grey or in colour.
        broken: What happens where some cannot be read.

    Returns:
        The classes; pixels (N, C, H, W) and labels of the training images; and of the test images,
        None where there is no folder of them.

    Raises:
        BorderlineError: When the folder or a class is missing, or images cannot be read.
    """
    fs, root = url_to_fs(path)
    if not fs.isdir(root):
        raise BorderlineError(
            f"source.path is {path!r}, but there is no such folder: name one that holds a folder "
            "for each class."
        )
    parts = {own: f"{root}/{own}" for own in _PARTS if fs.isdir(f"{root}/{own}")}
    if "train" not in parts:
        parts = {"train": root}
    found = {part: _folders(fs, folder) for part, folder in parts.items()}
    names = classes or tuple(found["train"])
    if not names:
        raise BorderlineError(
            f"source.path is {path!r}, which holds no folders: put the images of each class into a "
            "folder of its name."
        )
    files: dict[str, list[ImageFile]] = {}
    for part, folders in found.items():
        for name in names:
            if name not in folders:
                raise BorderlineError(
                    f"source.path is {path!r}, but the class {name!r} has no folder in "
                    f"{parts[part]} (there are {', '.join(folders) or 'none'}): add it, or name "
                    "the classes that there are in source.classes."
                )
        files[part] = [
            file for label, name in enumerate(names) for file in _files(fs, folders[name], label)
        ]
        labels = {file.label for file in files[part]}
        bare = [name for label, name in enumerate(names) if label not in labels]
        if bare:
            raise BorderlineError(
                f"source.path is {path!r}, but {parts[part]} holds no images of {', '.join(bare)} "
                f"({', '.join(FORMATS)}): put some there, or leave the class out of "
                "source.classes."
            )
    read = decode_parts(files, size, colour, broken, path)
    return names, read["train"], read.get("test")


def _folders(fs: Any, folder: str) -> dict[str, str]:
    """The folders in a folder, by name."""
    inside = (own["name"].rstrip("/") for own in fs.ls(folder, detail=True) if _is_folder(own))
    named = {path.rpartition("/")[2]: path for path in inside}
    return {name: named[name] for name in in_order(named) if not name.startswith((".", "__"))}


def _is_folder(entry: dict[str, Any]) -> bool:
    return bool(entry["type"] == "directory")


def _files(fs: Any, folder: str, label: int) -> Iterator[ImageFile]:
    for path in sorted(fs.find(folder)):
        name = path.rpartition("/")[2]
        if f".{name.rpartition('.')[2].lower()}" in EXTENSIONS and not name.startswith("."):
            shown = path.removeprefix(folder.rpartition("/")[0]).lstrip("/")
            yield ImageFile(shown, label, functools.partial(fs.cat_file, path))

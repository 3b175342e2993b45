"""Images in folders, one folder per class."""

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
    ImageArrays,
    ImageFile,
    decode_splits,
    in_order,
)
from borderline.errors import BorderlineError


def read_image_folder(
    path: str,
    classes: tuple[str, ...] | None,
    size: int | None,
    colour: Colour | None,
    broken: Broken,
) -> ImageArrays:
    """Read a folder with a folder for each class; or with ``train`` and ``test``, which hold these.

    Args:
        path: The folder, or its fsspec address.
        classes: The names of the classes' folders in the order of their labels; None for all
            folders by name.
        size: As for :func:`~borderline.datasets.image_files.decode_splits`, like the others.

    Raises:
        BorderlineError: When the folder or a class is missing, or images cannot be read.
    """
    fs, root = url_to_fs(path)
    if not fs.isdir(root):
        raise BorderlineError(
            f"source.path is {path!r}, but there is no such folder: name one that holds a folder "
            "for each class."
        )
    splits = {split: f"{root}/{split}" for split in ("train", "test")}
    splits = {split: folder for split, folder in splits.items() if fs.isdir(folder)}
    if "train" not in splits:
        splits = {"train": root}
    folders_of = {split: _folders(fs, folder) for split, folder in splits.items()}
    names = classes or tuple(folders_of["train"])
    if not names:
        raise BorderlineError(
            f"source.path is {path!r}, which holds no folders: put the images of each class into a "
            "folder of its name."
        )
    files: dict[str, list[ImageFile]] = {}
    for split, folders in folders_of.items():
        for name in names:
            if name not in folders:
                raise BorderlineError(
                    f"source.path is {path!r}, but the class {name!r} has no folder in "
                    f"{splits[split]} (there are {', '.join(folders) or 'none'}): add it, or name "
                    "the existing classes in source.classes."
                )
        files[split] = [
            file for label, name in enumerate(names) for file in _files(fs, folders[name], label)
        ]
        labels = {file.label for file in files[split]}
        empty = [name for label, name in enumerate(names) if label not in labels]
        if empty:
            raise BorderlineError(
                f"source.path is {path!r}, but {splits[split]} holds no images of "
                f"{', '.join(empty)} ({', '.join(FORMATS)}): put some there, or leave the "
                "class out of source.classes."
            )
    return names, *decode_splits(files, size, colour, broken, path)


def _folders(fs: Any, folder: str) -> dict[str, str]:
    entries = fs.ls(folder, detail=True)
    paths = (entry["name"].rstrip("/") for entry in entries if entry["type"] == "directory")
    named = {path.rpartition("/")[2]: path for path in paths}
    return {name: named[name] for name in in_order(named) if not name.startswith((".", "__"))}


def _files(fs: Any, folder: str, label: int) -> Iterator[ImageFile]:
    for path in sorted(fs.find(folder)):
        name = path.rpartition("/")[2]
        if f".{name.rpartition('.')[2].lower()}" in EXTENSIONS and not name.startswith("."):
            shown = path.removeprefix(folder.rpartition("/")[0]).lstrip("/")
            yield ImageFile(shown, label, functools.partial(fs.cat_file, path))

"""Images in folders, one folder per class."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pandas as pd
from fsspec.core import url_to_fs

from borderline.datasets.image_files import (
    FORMATS,
    HEAD,
    ImageArrays,
    ImageFile,
    Wanted,
    decode_splits,
    in_order,
    is_image,
)
from borderline.errors import BorderlineError

_METADATA, _FILE_NAME = "metadata.csv", "file_name"


def read_image_folder(path: str, classes: tuple[str, ...] | None, wanted: Wanted) -> ImageArrays:
    """Read a folder with a folder for each class; or with ``train`` and ``test``, which hold these.

    A ``metadata.csv`` in it, or in each of these two, gives columns beside the images.

    Args:
        path: The folder, or its fsspec address.
        classes: The names of the classes' folders in the order of their labels; None for all
            folders by name.
        wanted: The wanted images.

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
        columns = _columns(fs, path, splits[split], root)
        for name in names:
            if name not in folders:
                raise BorderlineError(
                    f"source.path is {path!r}, but the class {name!r} has no folder in "
                    f"{splits[split]} (there are {', '.join(folders) or 'none'}): add it, or name "
                    "the existing classes in source.classes."
                )
        files[split] = [
            file
            for label, name in enumerate(names)
            for file in _files(fs, folders[name], label, columns)
        ]
        labels = {file.label for file in files[split]}
        empty = [name for label, name in enumerate(names) if label not in labels]
        if empty:
            raise BorderlineError(
                f"source.path is {path!r}, but {splits[split]} holds no images of "
                f"{', '.join(empty)} ({', '.join(FORMATS)}): put some there, or leave the "
                "class out of source.classes."
            )
    return names, *decode_splits(files, wanted, path)


def _folders(fs: Any, folder: str) -> dict[str, str]:
    entries = fs.ls(folder, detail=True)
    paths = (entry["name"].rstrip("/") for entry in entries if entry["type"] == "directory")
    named = {path.rpartition("/")[2]: path for path in paths}
    return {name: named[name] for name in in_order(named) if not name.startswith((".", "__"))}


def _columns(fs: Any, path: str, folder: str, root: str) -> dict[str, dict[str, Any]]:
    """The rows of ``metadata.csv`` in the folder of a split or in the root, by path of the file.

    The layout is that of Hugging Face's ImageFolder: ``file_name`` is relative to the folder of the
    table.
    """
    table_folder = next((f for f in (folder, root) if fs.exists(f"{f}/{_METADATA}")), None)
    if table_folder is None:
        return {}
    where = f"source.path is {path!r}, whose {_METADATA}"
    try:
        table = pd.read_csv(BytesIO(fs.cat_file(f"{table_folder}/{_METADATA}")))
    except ValueError as error:  # pandas' errors of parsing and Python's of decoding are such
        reason = str(error).splitlines()[0]
        raise BorderlineError(
            f"{where} cannot be read ({reason}): correct or remove it."
        ) from error
    if _FILE_NAME not in table:
        raise BorderlineError(
            f"{where} has the columns {', '.join(map(str, table))}, but {_FILE_NAME!r} is needed: "
            "add it, or remove the file."
        )
    paths = [f"{table_folder}/{name}" for name in table.pop(_FILE_NAME)]
    there = set(fs.find(table_folder))
    missing = [file for file in paths if file not in there]
    if missing or len(set(paths)) < len(paths):
        wrong = (
            f"{len(missing)} files that are not there ({missing[0].removeprefix(table_folder)[1:]})"
            if missing
            else "a file twice"
        )
        raise BorderlineError(f"{where} names {wrong}: correct its column {_FILE_NAME!r}.")
    return dict(zip(paths, table.to_dict("records"), strict=True))  # type: ignore[arg-type]


def _files(
    fs: Any, folder: str, label: int, columns: dict[str, dict[str, Any]]
) -> Iterator[ImageFile]:
    for path in sorted(fs.find(folder)):
        name = path.rpartition("/")[2]
        head = functools.partial(fs.cat_file, path, end=HEAD)
        if is_image(name, head) and not name.startswith("."):
            shown = path.removeprefix(folder.rpartition("/")[0]).lstrip("/")
            yield ImageFile(shown, label, functools.partial(fs.cat_file, path), columns.get(path))

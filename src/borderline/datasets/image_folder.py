"""Images in folders, one folder per class, or with a table of their labels."""

from __future__ import annotations

import functools
import logging
import posixpath
from collections.abc import Iterator
from typing import Any

import pandas as pd
from fsspec.core import url_to_fs

from borderline.datasets.arrays import ImageArrays
from borderline.datasets.class_names import known_classes, same_letters
from borderline.datasets.folder_layouts import (
    CLASS,
    METADATA,
    Place,
    class_folders,
    find_levels,
    find_splits,
)
from borderline.datasets.folders import Walker, listing
from borderline.datasets.image_files import FORMATS, ImageFile, Wanted, decode_splits
from borderline.datasets.image_tables import (
    Rows,
    find_split_column,
    split_columns,
    splits_of,
)
from borderline.datasets.metadata_tables import class_names, read_table
from borderline.datasets.reading import Folder, other_folder
from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

_FILE_NAME, _LABEL = "file_name", "label"
_Columns = dict[str, dict[str, Any]]


def read_image_folder(
    path: str,
    classes: tuple[str, ...] | None,
    wanted: Wanted,
    *,
    levels: tuple[str, ...] | None = None,
    label_column: str | None = None,
    folder: str | None = None,
    group_column: str | None = None,
) -> ImageArrays:
    """Read a folder with a folder for each class; or with ``train`` and ``test``, which hold these.

    ``val`` beside them holds validation images. A ``metadata.csv``, ``.jsonl`` or ``.parquet`` in
    it, or in each of these, gives columns beside the images; or labels, where no folders do.

    Args:
        path: The folder, or its fsspec address.
        classes: The names of the classes' folders in the order of their labels; None for all
            folders by name.
        wanted: The wanted images.
        levels: What the folders are, from the outer ones inwards, such as ``("site", "class")``;
            all but the class become columns. None decides by the folders.
        label_column: The column of the table that holds the classes; None is ``label`` where
            folders are no classes.
        folder: Another folder that links in it may lead into; None for none.
        group_column: A column of the table to read as text; None for none.

    Raises:
        BorderlineError: When the folder or a class is missing, when the roles of folders cannot be
            told, or when images cannot be read.
    """
    fs, root = url_to_fs(path)
    if not fs.isdir(root):
        raise BorderlineError(
            f"source.path is {path!r}, but there is no such folder: name one that holds a folder "
            "for each class."
        )
    splits = find_splits(fs, root, path, classes)
    within = Folder(fs, root, None if folder is None else other_folder(folder)[1])
    texts = () if group_column is None else (group_column,)
    columns = {s: _columns(within, path, place, root, *texts) for s, place in splits.items()}
    walker = Walker(fs, root, path, strict=wanted.broken == "stop")
    label = None
    if levels is None:
        label = _label_column(fs, splits["train"], path, columns["train"], label_column)
    if label is None:
        _check_splits(columns["train"], path, split=len(splits) > 1)
        found = levels or find_levels(fs, splits["train"], path, classes)
        names, files = _of_folders(within, path, splits, columns, found, classes, walker)
    else:
        texts = (label, *texts)
        columns = {s: _columns(within, path, place, root, *texts) for s, place in splits.items()}
        if splits == {"train": root}:
            splits, columns = _split_by_table(root, path, columns["train"])
        names, files = _of_table(within, path, splits, columns, label, classes, walker)
    walker.report()
    return names, *decode_splits(files, wanted, path)


def _check_splits(columns: _Columns, path: str, *, split: bool) -> None:
    """Warn of a column that splits the images, because folders of classes do not use it."""
    found = [] if split else split_columns(pd.DataFrame(list(columns.values())))
    if found:
        logger.warning("Not used to split %s: the column %s of its table", path, found[0])


def _split_by_table(
    root: str, path: str, columns: _Columns
) -> tuple[dict[str, str], dict[str, _Columns]]:
    """The folder and the rows of each split, from the column of the table that splits."""
    table = pd.DataFrame(list(columns.values()))
    column = find_split_column(table, None, path)
    if column is None:
        return {"train": root}, {"train": columns}
    of_rows = dict(zip(columns, splits_of(table[column], column, path), strict=True))
    rows: dict[str, _Columns] = {}
    for file, split in of_rows.items():
        values = {name: value for name, value in columns[file].items() if name != column}
        rows.setdefault(split, {})[file] = values
    return dict.fromkeys(rows, root), rows


def _of_folders(
    within: Folder,
    path: str,
    splits: dict[str, str],
    columns: dict[str, _Columns],
    levels: tuple[str, ...],
    classes: tuple[str, ...] | None,
    walker: Walker,
) -> tuple[tuple[str, ...], dict[str, list[ImageFile]]]:
    """The names of the classes and the files of each split, from a folder for each class."""
    folders_of = {
        split: class_folders(within.fs, folder, levels, path, any_classes=classes is not None)
        for split, folder in splits.items()
    }
    there = list(folders_of["train"])
    names = tuple(same_letters(name, there) for name in classes or there)
    if not names and len(levels) > 1:
        raise BorderlineError(
            f"source.levels is {list(levels)}, but {path} holds no folders as deep as that: "
            "correct it."
        )
    if not names:
        raise BorderlineError(
            f"source.path is {path!r}, which holds no folders: put the images of each class into a "
            "folder of its name."
        )
    files: dict[str, list[ImageFile]] = {}
    for split, folders in folders_of.items():
        _check_folders(path, splits[split], folders, names, known={*folders_of["train"]})
        files[split] = [
            file
            for label, name in enumerate(names)
            for place in folders[name]
            for file in _files(within, walker, splits, split, place, label, columns[split])
        ]
        labels = {file.label for file in files[split]}
        empty = [name for label, name in enumerate(names) if label not in labels]
        if empty:
            walker.report()
            raise BorderlineError(
                f"source.path is {path!r}, but {splits[split]} holds no images of "
                f"{', '.join(empty)} ({', '.join(FORMATS)}): put some there, or leave the "
                "class out of source.classes."
            )
    return names, files


def _check_folders(
    path: str,
    folder: str,
    folders: dict[str, list[Place]],
    names: tuple[str, ...],
    known: set[str],
) -> None:
    for name in names:
        if name not in folders:
            raise BorderlineError(
                f"source.path is {path!r}, but the class {name!r} has no folder in "
                f"{folder} (there are {', '.join(folders) or 'none'}): add it, or name "
                "the existing classes in source.classes."
            )
    strange = [name for name in folders if name not in known]
    if strange:
        logger.warning("Not read, because train lacks them: %s in %s", ", ".join(strange), folder)


def _files(
    within: Folder,
    walker: Walker,
    splits: dict[str, str],
    split: str,
    place: Place,
    label: int,
    columns: _Columns,
) -> Iterator[ImageFile]:
    root = splits[split]
    shown = place.folder.removeprefix(root).lstrip("/")
    owner = f"{split}/{shown}" if len(splits) > 1 else shown
    for file in walker.images(place.folder, owner):
        values = {**place.columns, **columns.get(file, {})}
        name = file.removeprefix(root).lstrip("/")
        yield ImageFile(name, label, functools.partial(within.read, file), values)


def _of_table(
    within: Folder,
    path: str,
    splits: dict[str, str],
    columns: dict[str, _Columns],
    label: str,
    classes: tuple[str, ...] | None,
    walker: Walker,
) -> tuple[tuple[str, ...], dict[str, list[ImageFile]]]:
    """The names of the classes and the files of each split, from the labels of a table."""
    where, labels = f"The table of {path}", {}
    for split, rows in columns.items():
        if not rows:
            raise BorderlineError(
                f"source.path is {path!r}, but no table labels the images in {splits[split]}: add "
                f"a {METADATA[0]} there."
            )
        values = [row.get(label) for row in rows.values()]
        labels[split] = class_names(values, "source.label_column", where)
    known = known_classes(labels["train"], classes, where)
    named = {file for rows in columns.values() for file in rows}
    for folder in dict.fromkeys(splits.values()):
        images = walker.images(folder, folder, beside=METADATA)
        unnamed = sum(file not in named for file in images)
        if unnamed:
            logger.warning("Not read, because no row names them: %d images in %s", unnamed, folder)
    files = {}
    for split, folder in splits.items():
        rows = columns[split]
        others = [{k: v for k, v in row.items() if k != label} for row in rows.values()]
        names = [file.removeprefix(folder).lstrip("/") for file in rows]
        table = Rows(names, list(rows), within, labels[split], others)
        files[split] = list(table.files(known, [True] * len(rows)))
    return classes or tuple(known), files


def _label_column(
    fs: Any, folder: str, path: str, columns: _Columns, given: str | None
) -> str | None:
    """The column of the table that holds the classes; None where the folders are the classes."""
    there = next(iter(columns.values()), {})
    if given is not None and given not in there:
        raise BorderlineError(
            f"source.label_column is {given!r}, but the table of {path} has the columns "
            f"{', '.join(there) or 'none'}: name one of them."
        )
    folders = listing(fs, folder).folders
    if given is not None or _LABEL not in there or len(folders) < 2:
        return given or (_LABEL if _LABEL in there and len(folders) < 2 else None)
    # A label that only repeats the folders is a column like others.
    pairs = {(f.removeprefix(folder).split("/")[1], row[_LABEL]) for f, row in columns.items()}
    if len({name for name, _ in pairs}) == len(pairs) == len({value for _, value in pairs}):
        return None
    raise BorderlineError(
        f"source.path is {path!r}, whose folders {', '.join(list(folders)[:4])} and whose column "
        f"{_LABEL!r} may both be the classes: set source.label_column to {_LABEL!r}, or "
        f"source.levels to [{CLASS}] if the folders are."
    )


def _columns(within: Folder, path: str, folder: str, root: str, *texts: str) -> _Columns:
    """The rows of the table in the folder of a split or in the root, by path of the file.

    The layout is that of Hugging Face's ImageFolder: ``file_name`` is relative to the folder of the
    table. Of a table in the root, only the rows below ``folder`` count. Columns in ``texts`` are
    read as text.
    """
    fs = within.fs
    tables = [(f, name) for f in (folder, root) for name in METADATA if fs.isfile(f"{f}/{name}")]
    if not tables:
        return {}
    table_folder, name = tables[0]
    where = f"source.path is {path!r}, whose {name}"
    table = read_table(within, f"{table_folder}/{name}", where)
    if _FILE_NAME not in table:
        raise BorderlineError(
            f"{where} has the columns {', '.join(map(str, table))}, but {_FILE_NAME!r} is needed: "
            "add it, or remove the file."
        )
    table = read_table(within, f"{table_folder}/{name}", where, (_FILE_NAME, *texts))
    names = table.pop(_FILE_NAME).map(str).map(posixpath.normpath)
    paths = [f"{table_folder}/{name}" for name in names]
    there = set(fs.find(table_folder))
    missing = [file for file in paths if file not in there and not fs.isfile(file)]
    if missing or len(set(paths)) < len(paths):
        wrong = (
            f"{len(missing)} files that are not there ({missing[0].removeprefix(table_folder)[1:]})"
            if missing
            else "a file twice"
        )
        raise BorderlineError(f"{where} names {wrong}: correct its column {_FILE_NAME!r}.")
    rows = dict(zip(paths, table.to_dict("records"), strict=True))
    return {file: row for file, row in rows.items() if file.startswith(f"{folder}/")}  # type: ignore[misc]

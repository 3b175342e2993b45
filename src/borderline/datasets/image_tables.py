"""Images of a table of paths and labels."""

from __future__ import annotations

import functools
import glob
import logging
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd
from fsspec.core import url_to_fs

from borderline.datasets.arrays import ImageArrays
from borderline.datasets.class_names import known_classes
from borderline.datasets.image_files import ImageFile, Wanted, decode_splits
from borderline.datasets.metadata_tables import SUFFIXES, choose_column, class_names, read_table
from borderline.datasets.reading import Folder, Unreadable, other_folder
from borderline.datasets.splits import split_of
from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

FILE_NAMES = (
    *("file_name", "path", "filename", "file", "filepath", "file_path"),
    *("image", "image_path", "img_path"),
)
LABEL_NAMES = ("label", "class", "target", "category")
_NONE = -1


class Columns(NamedTuple):
    """The settings ``<name>_column`` and ``folder`` of a source.

    None means the usual name, for ``folder`` the folder of the table, for ``group`` no groups.
    """

    file: str | None = None
    label: str | None = None
    split: str | None = None
    folder: str | None = None
    group: str | None = None


_USUAL = Columns()


def read_image_table(
    path: str,
    classes: tuple[str, ...] | None,
    wanted: Wanted,
    *,
    columns: Columns = _USUAL,
) -> ImageArrays:
    """Read the images that a CSV, TSV, JSON Lines or Parquet file names, with their labels.

    A column of ``train``, ``validation`` and ``test`` splits them. The other columns stay beside
    the images.

    Args:
        path: The table, or its fsspec address.
        classes: The labels to read, in the order of the classes; or, for labels 0, 1, ..., the
            names of these classes. None reads all.
        wanted: The wanted images.

    Raises:
        BorderlineError: When the table cannot be read or lacks a column, when it names a file
            twice, and when images cannot be read.
    """
    fs, file = url_to_fs(path)
    where = f"source.path is {path!r}, which"
    if not fs.isfile(file) or not file.lower().endswith(SUFFIXES):
        raise BorderlineError(
            f"source.path is {path!r}, but there is no such table: name a file that ends in "
            f"{', '.join(SUFFIXES)}."
        )
    holder = Folder(fs, file)
    table = read_table(holder, file, where)
    path_column = choose_column(table, columns.file, "source.file_column", FILE_NAMES, path)
    label_column = choose_column(table, columns.label, "source.label_column", LABEL_NAMES, path)
    split_column = find_split_column(table, columns.split, path)
    named = path_column, label_column, split_column, columns.group
    texts = [name for name in named if name is not None]
    table = read_table(holder, file, where, texts)
    labels = class_names(table.pop(label_column), "source.label_column", path)
    splits: list[str] = ["train"] * len(table)
    if split_column is not None:
        splits = splits_of(table.pop(split_column), split_column, path)
    names = [str(name) for name in table.pop(path_column)]
    home = Folder(fs, file.rpartition("/")[0] or "/")
    base = home if columns.folder is None else Folder(*other_folder(columns.folder))
    places = [_place(name, base, home, where) for name in names]
    same = pd.Series([posixpath.normpath(place) for place in places], dtype=str).duplicated()
    if same.any():
        raise BorderlineError(f"{where} names the file {names[same.argmax()]} twice: remove a row.")
    if not names:
        raise BorderlineError(f"{where} holds no rows: add a row for each image.")
    if not any(base.fs.isfile(place) for place in places):
        whole = next(iter(base.fs.glob(f"{glob.escape(places[0])}.*")), None)
        if whole is not None:
            raise BorderlineError(
                f"{where} names files without their suffix ({names[0]}, but the file is "
                f"{posixpath.basename(whole)}): add it to the names."
            )
        raise BorderlineError(
            f"{where} names {len(names)} files, but none of them is in {base.path} (the first is "
            f"{names[0]}): set source.folder to the folder that the paths "
            "start from."
        )
    rows = Rows(names, places, base, labels, table.to_dict("records"))  # type: ignore[arg-type]
    known = known_classes(
        [label for label, split in zip(labels, splits, strict=True) if split == "train"],
        classes,
        path,
    )
    unknown = sum(label is not None and label not in known for label in labels)
    if unknown and classes is None:
        logger.warning("Left out: %d images of %s with labels of no training image", unknown, path)
    files: dict[str, list[ImageFile]] = {
        split: list(rows.files(known, [s == split for s in splits]))
        for split in ("train", "validation", "test")
        if split in splits
    }
    return classes or tuple(known), *decode_splits(files, wanted, path)


class Rows(NamedTuple):
    """The rows of a table of images.

    Attributes:
        names: The paths as written.
        places: The path of each file.
        folder: The folder that holds them.
        labels: The name of each class; None for none.
        columns: The other values by column.
    """

    names: Sequence[str]
    places: Sequence[str]
    folder: Folder
    labels: Sequence[str | None]
    columns: Sequence[dict[str, Any]]

    def files(self, known: dict[str, int], chosen: Iterable[bool]) -> Iterator[ImageFile]:
        """The chosen files whose class is known, and those without a label, which are broken."""
        lists = self.names, self.places, self.labels, self.columns
        for name, place, label, columns, taken in zip(*lists, chosen, strict=True):
            if taken and (label is None or label in known):
                read = functools.partial(_read, self.folder, place, label)
                yield ImageFile(name, known.get(label or "", _NONE), read, columns)


def find_split_column(table: pd.DataFrame, given: str | None, source: str) -> str | None:
    """The column that splits the images: the named one, or the only one of names of splits.

    Raises:
        BorderlineError: When there is no such column, or more than one.
    """
    if given is not None:
        return choose_column(table, given, "source.split_column", (), source)
    found = split_columns(table)
    if len(found) > 1:
        raise BorderlineError(
            f"source.split_column is missing, and the columns {', '.join(found)} of {source} all "
            "name training images: set it to the one that is meant."
        )
    return found[0] if found else None


def split_columns(table: pd.DataFrame) -> list[str]:
    """The columns that hold names of splits."""
    found = []
    for name in map(str, table):
        splits = {split_of(str(value)) for value in table[name].unique()}
        # A column of one such name alone may mean something else, such as "valid".
        alone = None not in splits and ("train" in splits or len(splits) > 1)
        if alone or (name.lower() == "split" and splits != {None}):
            found.append(name)
    return found


def splits_of(values: Iterable[Any], column: str, source: str) -> list[str]:
    """The split of each value of a column.

    Raises:
        BorderlineError: When a value is no name of a split, or none means training.
    """
    splits = []
    for value in values:
        split = split_of(str(value))
        if split is None:
            raise BorderlineError(
                f"The column {column!r} of {source} holds {value!r}, but it needs train, "
                "validation or test for each image: correct it, or name another column in "
                "source.split_column."
            )
        splits.append(split)
    if "train" not in splits:
        raise BorderlineError(
            f"The column {column!r} of {source} names no training images: correct it."
        )
    return splits


def _place(name: str, folder: Folder, home: Folder, where: str) -> str:
    """The path of a file in a folder; one that begins with ``..`` starts at the table's home."""
    upwards = posixpath.normpath(name.replace("\\", "/")).startswith("../")
    try:
        place = (home if upwards else folder).place(name)
        # Tables from Windows.
        if "\\" in name and not folder.fs.exists(place):
            place = place.replace("\\", "/")
        folder.check(place)
    except Unreadable as error:
        raise BorderlineError(f"{where} names {name[:200]!r}, but {error}.") from error
    return place


def _read(folder: Folder, path: str, label: str | None, most: int) -> bytes:
    if label is None:
        raise Unreadable("it has no label")
    return folder.read(path, most)

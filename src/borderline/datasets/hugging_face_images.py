"""Images of a Hugging Face dataset that was saved to disk."""

from __future__ import annotations

import functools
import json
import logging
import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from fsspec.core import url_to_fs

from borderline.datasets.arrays import ImageArrays
from borderline.datasets.class_names import in_order, is_integer
from borderline.datasets.image_files import ImageFile, Wanted, decode_splits
from borderline.datasets.limits import LARGEST_TABLE
from borderline.datasets.reading import Folder, Unreadable, other_folder
from borderline.datasets.splits import splits_among
from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

_LABELS = ("label", "labels")
_NONE = -1
_SPLITS, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"


def read_hugging_face(
    path: str, wanted: Wanted, *, folder: str | None = None, chosen: bool = False
) -> ImageArrays:
    """Read a folder that ``save_to_disk`` wrote: a dataset, or its splits.

    They are ``train``, and perhaps ``validation`` and ``test``.

    Args:
        path: The folder, or its fsspec address.
        wanted: The wanted images.
        folder: A folder whose files rows may name, beside those in the folder of the dataset.
        chosen: Whether ``source.classes`` chooses among the classes. Then rows of a class that no
            training row has are left out.

    Raises:
        BorderlineError: When the folder holds no dataset, when the dataset lacks a column of images
            or of class labels, and when images cannot be read.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise BorderlineError(
            "source.kind is 'hugging_face', which needs the library datasets: install it "
            "(pip install datasets)."
        ) from error
    also = None if folder is None else other_folder(folder)[1]
    try:
        fs, root = url_to_fs(path)
        within = Folder(fs, root, also)
        _check_files(within)
        saved: Any = datasets.load_from_disk(path)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BorderlineError(
            f"source.path is {path!r}, which holds no dataset that save_to_disk left ({reason}): "
            "name another folder."
        ) from error
    whole = dict(saved) if isinstance(saved, datasets.DatasetDict) else {"train": saved}
    named = splits_among(whole, f"source.path is {path!r}, which")
    if "train" not in named:
        raise BorderlineError(
            f"source.path is {path!r}, whose splits are {', '.join(whole)}, but 'train' is "
            "needed: rename one."
        )
    for other in sorted(whole.keys() - named.values()):
        logger.warning("The split %s of %s is not read", other, path)
    splits = {split: whole[name] for split, name in named.items()}
    features = splits["train"].features
    image = _image_column(path, features, datasets)
    label, names, numbers = _labels(path, splits["train"], datasets)
    columns = [name for name, kind in features.items() if isinstance(kind, datasets.Value)]
    columns = [name for name in columns if name != label]
    files: dict[str, Iterator[ImageFile]] = {}
    for split, rows in splits.items():
        lacking = [name for name in (image, label) if name not in rows.column_names]
        if lacking:
            raise BorderlineError(
                f"source.path is {path!r}, whose split {named[split]!r} lacks the column "
                f"{lacking[0]!r}: add it, or remove the split."
            )
        # The library decodes all columns of a row, also sounds. An image stays on the disk until
        # its turn.
        images = rows.with_format(None).select_columns([image])
        images = images.cast_column(image, datasets.Image(decode=False))
        others = rows.with_format(None).select_columns(
            [label, *(name for name in columns if name in rows.column_names)]
        )
        read = functools.partial(_read, images, image, within)
        known = {**numbers, **_numbers_of(rows.features[label], names, datasets)}
        files[split] = _files(others, label, known, columns, named[split], read, chosen)
    return names, *decode_splits(files, wanted, path)


def _check_files(folder: Folder) -> None:
    """Check the files that the descriptions of a dataset name, before the library opens them.

    Raises:
        Unreadable: When one lies outside of the folder, or is no regular file.
    """

    def described(file: str) -> Any:
        return json.loads(folder.read(f"{folder.path}/{file}", LARGEST_TABLE))

    names = [""]
    if folder.fs.isfile(f"{folder.path}/{_SPLITS}"):
        names = described(_SPLITS)["splits"]
    for name in names:
        described(posixpath.join(name, _INFO))
        for part in described(posixpath.join(name, _STATE))["_data_files"]:
            file = posixpath.join(folder.path, name, part["filename"])
            folder.check(file)
            if not folder.fs.isfile(file):
                raise Unreadable(f"{part['filename']} is no regular file")


def _image_column(path: str, features: Any, datasets: Any) -> str:
    there: list[str] = [n for n, kind in features.items() if isinstance(kind, datasets.Image)]
    if len(there) != 1:
        raise _not_one(path, features, len(there), "images (Image)")
    return there[0]


def _labels(
    path: str, rows: Any, datasets: Any
) -> tuple[str, tuple[str, ...], dict[int | str, int]]:
    """The column of the labels, the names of the classes, and the label of each value.

    Without a column of class labels, ``label`` or ``labels`` can hold names or whole numbers.
    """
    features = rows.features
    there = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    if len(there) == 1:
        names = tuple(features[there[0]].names)
        return there[0], names, {number: number for number in range(len(names))}
    plain = [name for name in _LABELS if isinstance(features.get(name), datasets.Value)]
    if there or len(plain) != 1:
        raise _not_one(path, features, len(there), "class labels (ClassLabel)")
    kind = features[plain[0]].dtype
    if not kind.endswith("string") and "int" not in kind:
        raise BorderlineError(
            f"source.path is {path!r}, whose column {plain[0]!r} is of type {kind}, but names or "
            "whole numbers are needed: cast it to ClassLabel."
        )
    values = [value for value in rows.unique(plain[0]) if value is not None and value != -1]
    names = tuple(map(str, in_order(values)))
    numbers = {name: number for number, name in enumerate(names)}
    return plain[0], names, {value: numbers[str(value)] for value in values}


def _numbers_of(feature: Any, names: tuple[str, ...], datasets: Any) -> dict[int | str, int]:
    """The label of each value of a split, by the names of the classes.

    The splits of a dataset can number the same classes otherwise. Where one of them has numbers in
    place of names, its values mean what they mean in the training rows: none is given.
    """
    labels: dict[int | str, int] = {name: number for number, name in enumerate(names)}
    own = feature.names if isinstance(feature, datasets.ClassLabel) else []
    if all(map(is_integer, own)) != all(map(is_integer, names)):
        return labels
    return labels | {number: labels.get(name, _NONE) for number, name in enumerate(own)}


def _not_one(path: str, features: Any, count: int, content: str) -> BorderlineError:
    return BorderlineError(
        f"source.path is {path!r}, which has {count} columns of {content} among "
        f"{', '.join(features)}, but one is needed: cast or remove columns."
    )


def _files(
    rows: Any,
    label: str,
    numbers: dict[int | str, int],
    columns: list[str],
    split: str,
    read: Callable[..., bytes],
    chosen: bool,
) -> Iterator[ImageFile]:
    for number, row in enumerate(rows):
        known = numbers.get(row[label], _NONE)
        if chosen and known == _NONE and row[label] not in (None, _NONE):
            continue
        values = {name: row.get(name) for name in columns}
        reader = functools.partial(read, number, row[label], known)
        yield ImageFile(f"row {number} of {split}", known, reader, values)


def _read(
    images: Any,
    column: str,
    folder: Folder,
    number: int,
    label: int | str | None,
    known: int,
    most: int,
) -> bytes:
    # The library writes a missing class label as None or -1.
    if label is None or label == _NONE:
        raise Unreadable("it has no label")
    if known == _NONE:
        raise Unreadable(f"its label {str(label)[:80]!r} is none of a training image")
    image = images[number][column] or {}
    content, file = image.get("bytes"), image.get("path")
    if content is None and not file:
        raise Unreadable("it has no image")
    if content is None:
        return folder.read(folder.place(str(file)), most)
    if len(content) > most:
        raise Unreadable(f"it has more than {most / 2**20:,.0f} MB")
    return bytes(content)

"""Images of a Hugging Face dataset that was saved to disk."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from borderline.datasets.class_names import in_order
from borderline.datasets.image_files import ImageArrays, ImageFile, Wanted, decode_splits
from borderline.datasets.splits import splits_among
from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

_LABELS = ("label", "labels")
_NONE = -1


def read_hugging_face(path: str, wanted: Wanted) -> ImageArrays:
    """Read a folder that ``save_to_disk`` wrote: a dataset, or its splits.

    They are ``train``, and perhaps ``validation`` and ``test``.

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
    try:
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
        undecoded = rows.cast_column(image, datasets.Image(decode=False))
        files[split] = _files(undecoded, image, label, numbers, columns, named[split])
    return names, *decode_splits(files, wanted, path)


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
    return plain[0], names, {value: names.index(str(value)) for value in values}


def _not_one(path: str, features: Any, count: int, content: str) -> BorderlineError:
    return BorderlineError(
        f"source.path is {path!r}, which has {count} columns of {content} among "
        f"{', '.join(features)}, but one is needed: cast or remove columns."
    )


def _files(
    rows: Any,
    image: str,
    label: str,
    numbers: dict[int | str, int],
    columns: list[str],
    split: str,
) -> Iterator[ImageFile]:
    for number, row in enumerate(rows):
        values = {name: row.get(name) for name in columns}
        known = numbers.get(row[label], _NONE)
        read = functools.partial(_read, row[image], row[label], known)
        yield ImageFile(f"row {number} of {split}", known, read, values)


def _read(image: dict[str, Any] | None, label: int | str | None, known: int) -> bytes:
    # The library writes a missing class label as None or -1.
    if label is None or label == _NONE:
        raise BorderlineError("it has no label")
    if known == _NONE:
        raise BorderlineError(f"its label {label!r} is none of a training image")
    content, file = (image or {}).get("bytes"), (image or {}).get("path")
    if content is None and not file:
        raise BorderlineError("it has no image")
    return Path(str(file)).read_bytes() if content is None else bytes(content)

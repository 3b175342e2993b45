"""Images of a Hugging Face dataset that was saved to disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from borderline.datasets.image_files import ImageArrays, ImageFile, Wanted, decode_splits
from borderline.errors import BorderlineError


def read_hugging_face(path: str, wanted: Wanted) -> ImageArrays:
    """Read a folder that ``save_to_disk`` wrote: a dataset, or its splits ``train`` and ``test``.

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
    splits = dict(saved) if isinstance(saved, datasets.DatasetDict) else {"train": saved}
    if "train" not in splits:
        raise BorderlineError(
            f"source.path is {path!r}, whose splits are {', '.join(splits)}, but 'train' is "
            "needed: rename one."
        )
    image, label, names = _columns(path, splits["train"].features, datasets)
    undecoded = {
        split: splits[split].cast_column(image, datasets.Image(decode=False))
        for split in ("train", "test")
        if split in splits
    }
    columns = [
        n for n, kind in splits["train"].features.items() if isinstance(kind, datasets.Value)
    ]
    files = {split: _files(rows, image, label, columns, split) for split, rows in undecoded.items()}
    return names, *decode_splits(files, wanted, path)


def _columns(path: str, features: Any, datasets: Any) -> tuple[str, str, tuple[str, ...]]:
    kinds = {"images (Image)": datasets.Image, "class labels (ClassLabel)": datasets.ClassLabel}
    chosen = []
    for content, wanted in kinds.items():
        columns = [name for name, kind in features.items() if isinstance(kind, wanted)]
        chosen += columns
        if len(columns) != 1:
            raise BorderlineError(
                f"source.path is {path!r}, which has {len(columns)} columns of {content} among "
                f"{', '.join(features)}, but one is needed: cast or remove columns."
            )
    image, label = chosen
    return image, label, tuple(features[label].names)


def _files(
    rows: Any, image: str, label: str, columns: list[str], split: str
) -> Iterator[ImageFile]:
    for number, row in enumerate(rows):
        content, file = row[image]["bytes"], row[image]["path"]

        def read(content: bytes | None = content, file: str | None = file) -> bytes:
            return Path(str(file)).read_bytes() if content is None else content

        values = {name: row.get(name) for name in columns}
        yield ImageFile(f"row {number} of {split}", int(row[label]), read, values)

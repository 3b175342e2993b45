"""Images of a Hugging Face dataset that was saved to disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from borderline.datasets.image_files import Broken, Colour, ImageFile, Part, decode_parts
from borderline.errors import BorderlineError


def read_hugging_face(
    path: str, size: int | None, colour: Colour | None, broken: Broken
) -> tuple[tuple[str, ...], Part, Part | None]:
    """Read what ``save_to_disk`` left: a dataset, or one with the splits ``train`` and ``test``.

    Args:
        path: The folder.
        size: As for :func:`decode_all`, and so are ``colour`` and ``broken``.
        colour: Grey or in colour.
        broken: What happens where some cannot be read.

    Returns:
        As :func:`~borderline.datasets.image_folder.read_image_folder`.

    Raises:
        BorderlineError: When the folder holds none, when it has no column of images or none of
            class labels, and when images cannot be read.
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
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise BorderlineError(
            f"source.path is {path!r}, which holds no dataset that save_to_disk left ({said}): "
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
        part: splits[part].cast_column(image, datasets.Image(decode=False))
        for part in ("train", "test")
        if part in splits
    }
    files = {part: _files(rows, image, label, part) for part, rows in undecoded.items()}
    read = decode_parts(files, size, colour, broken, path)
    return names, read["train"], read.get("test")


def _columns(path: str, features: Any, datasets: Any) -> tuple[str, str, tuple[str, ...]]:
    images = [name for name, own in features.items() if isinstance(own, datasets.Image)]
    labels = [name for name, own in features.items() if isinstance(own, datasets.ClassLabel)]
    for what, found in (("images (Image)", images), ("class labels (ClassLabel)", labels)):
        if len(found) != 1:
            raise BorderlineError(
                f"source.path is {path!r}, which has {len(found)} columns of {what} among "
                f"{', '.join(features)}, but one is needed: cast or remove columns."
            )
    return images[0], labels[0], tuple(features[labels[0]].names)


def _files(rows: Any, image: str, label: str, part: str) -> Iterator[ImageFile]:
    for number, row in enumerate(rows):
        content, place = row[image]["bytes"], row[image]["path"]

        def read(content: bytes | None = content, place: str | None = place) -> bytes:
            return Path(str(place)).read_bytes() if content is None else content

        yield ImageFile(f"row {number} of {part}", int(row[label]), read)

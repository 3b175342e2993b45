"""Limits on files that others made, so that none exhausts the memory or the time of a run."""

from __future__ import annotations

import os
from pathlib import Path

from borderline.errors import BorderlineError
from borderline.image_sizes import Size, spelled

BYTES_OF_A_PIXEL = 8
"""Four channels of 16 bits: no image file needs more for a pixel."""
LARGEST_TABLE = 2**28
"""Bytes: two million rows of 128 bytes, of which pandas makes some gigabytes."""
MOST_ROWS = 10_000_000
"""Of a table: a Parquet file can repeat a value without end in a few bytes."""
MOST_COLUMNS = 10_000
"""Of a table: pandas takes half a millisecond for each."""
MOST_VALUES = 100_000_000
"""Of a table: rows times columns, since pandas fills the values that rows leave out."""
DEEPEST = 64
"""Folders in folders: a walk takes a step of Python's stack for each."""
MOST_CLASSES = 1000
"""Classes of a source, or one for each training image if these are more."""
LONGEST_NAME = 200
"""Letters of the name of a class, which pages, tables and folders show."""

_CONTAINER = Path("/sys/fs/cgroup/memory.max")
_UNKNOWN = 2**36
_FLOAT = 4


def memory() -> int:
    """The memory of this machine, or of the container that the process runs in, in bytes."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        whole = _UNKNOWN
    try:
        return min(whole, int(_CONTAINER.read_text()))
    except (OSError, ValueError):  # No container, or one without a limit.
        return whole


def check_memory(shape: tuple[int, int, int, int], size: Size | None, source: str) -> None:
    """Check that all images fit into the memory as float32.

    Args:
        shape: Their number, channels, height and width.
        size: The setting ``source.size``.
        source: The name of the source in messages.

    Raises:
        BorderlineError: When they do not.
    """
    count, channels, height, width = shape
    needed, there = count * channels * height * width * _FLOAT, memory()
    if needed <= there:
        return
    said = f"{count:,} images of {source} with {channels} x {height} x {width} values"
    takes = f"take {gigabytes(needed)} of memory, but this machine has {gigabytes(there)}"
    if size is not None:
        raise BorderlineError(
            f"source.size is {spelled(size)}, but {said} {takes}: lower it, or use fewer images."
        )
    raise BorderlineError(
        f"source.size is missing, but {said} {takes}: set source.size to the side of a square, "
        "such as 32 or 64, or to [height, width], or use fewer images."
    )


def check_bytes(announced: int, file: str) -> None:
    """Check that the arrays that a file announces fit into the memory.

    Raises:
        BorderlineError: When they do not.
    """
    if announced > memory():
        raise BorderlineError(
            f"{file} announces {gigabytes(announced)} of values, but this machine has "
            f"{gigabytes(memory())} of memory: replace it by a sound copy, or save fewer or "
            "smaller images."
        )


def check_labels(highest: int, images: int, source: str) -> None:
    """Check that labels are numbers of classes: a class exists for each number below a label.

    Args:
        highest: The greatest label.
        images: The number of training images.
        source: The name of the source in messages.

    Raises:
        BorderlineError: When a label is too great.
    """
    most = max(MOST_CLASSES, images)
    if highest >= most:
        raise BorderlineError(
            f"{source} has the label {highest}, but labels number the classes from 0 on and "
            f"{images:,} training images have at most {most:,} classes: number the classes without "
            "gaps, or write their names as labels."
        )


def check_classes(classes: tuple[str, ...], images: int, source: str) -> None:
    """Check the names of the classes, and that there are not more than images.

    Raises:
        BorderlineError: When a name is there twice or is too long, or when there are too many.
    """
    most = max(MOST_CLASSES, images)
    if len(classes) > most:
        raise BorderlineError(
            f"{source} has {len(classes):,} classes for {images:,} training images, but at most "
            f"{most:,} are read: name the classes to read in source.classes."
        )
    seen: set[str] = set()
    for name in classes:
        if len(name) > LONGEST_NAME:
            raise BorderlineError(
                f"{source} has a class whose name has {len(name):,} letters ({name[:20]}...), but "
                f"at most {LONGEST_NAME} are read: shorten it."
            )
        if name in seen:
            raise BorderlineError(f"source.classes names {name!r} twice: rename or remove one.")
        seen.add(name)


def gigabytes(count: int) -> str:
    """A number of bytes in words."""
    return f"{count / 2**30:,.1f} GB"

"""The names that folders and tables give to training, validation and test images."""

from __future__ import annotations

from collections.abc import Iterable

from borderline.errors import BorderlineError

# Those that the library datasets knows.
_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}


def split_of(name: str) -> str | None:
    """``train``, ``validation`` or ``test`` for a usual name of it, in any case; else None.

    Example:
        >>> split_of("Val"), split_of("cat")
        ('validation', None)
    """
    known = (split for split, names in _NAMES.items() if name.strip().lower() in names)
    return next(known, None)


def splits_among(names: Iterable[str], source: str) -> dict[str, str]:
    """The names of splits among other names, by split.

    Args:
        source: The name of the source in messages.

    Raises:
        BorderlineError: When two names mean the same split.
    """
    found: dict[str, str] = {}
    for name in names:
        split = split_of(name)
        if split in found:
            raise BorderlineError(
                f"{source} holds both {found[split]!r} and {name!r}, which both mean {split} "
                "images: merge them, or rename one."
            )
        if split is not None:
            found[split] = name
    return found

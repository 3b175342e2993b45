"""The names of classes: their order, and the class that a setting means."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Container, Iterable, Sequence
from typing import TypeVar

from borderline.errors import BorderlineError, did_you_mean

logger = logging.getLogger(__name__)

# Also 1.0 and 1e3: 1 is not taken for a label beside a class called 1.0.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?", re.IGNORECASE)

_DIGITS = 12
_SHOWN = 30
# Python reads no numbers of more than 4,300 digits.
_INTEGER = re.compile(r"[+-]?[0-9]{1,1000}")
AnyName = TypeVar("AnyName", str, int)


def is_integer(name: object) -> bool:
    """Whether the name of a class is the text of an integer, such as ``7``, ``007`` or ``-1``."""
    return _INTEGER.fullmatch(str(name)) is not None


def in_order(names: Iterable[AnyName]) -> list[AnyName]:
    """Names of classes in the order of their labels.

    Integers are in numerical order. Other names are in the order of Python's ``sorted``, which is
    also that of torchvision's ImageFolder.

    Example:
        >>> in_order(["10", "2"]), in_order(["10", "cat", "2"])
        (['2', '10'], ['10', '2', 'cat'])
    """
    there = list(names)
    if all(map(is_integer, there)):
        return sorted(there, key=lambda name: (int(name), str(name)))
    return sorted(there, key=str)


def class_orders(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The orders of classes that a training may have used, most probable first, each once.

    The first is that of :func:`in_order`, the second that of torchvision's ImageFolder, and the
    third sorts by length first, as tools with a natural order do with numbers.

    Example:
        >>> class_orders(["2", "10"])
        [('2', '10'), ('10', '2')]
    """

    def by_length(name: str) -> tuple[bool, str]:
        return not name.isdigit(), name.zfill(_DIGITS)

    orders = in_order(names), sorted(names), sorted(names, key=by_length)
    return list(dict.fromkeys(map(tuple, orders)))


def known_classes(
    labels: Iterable[str | None], classes: tuple[str, ...] | None, source: str
) -> dict[str, int]:
    """The label of each class, by the name that the source gives it.

    Args:
        labels: The source's names; None is no name.
        classes: The setting ``source.classes``, which chooses among the names and orders them.
            Where the names are the numbers 0, 1, ... and ``classes`` has others, it names them.
        source: The name of the source in messages.

    Raises:
        BorderlineError: When a class of ``classes`` is none of the source's.
    """
    there = in_order({label for label in labels if label is not None})
    if not there:
        raise BorderlineError(f"{source} holds no training image with a label: add some.")
    if classes is None:
        return {name: label for label, name in enumerate(there)}
    numbers = list(map(str, range(len(classes))))
    at_their_place = all(c == n or c not in numbers for c, n in zip(classes, numbers, strict=True))
    if set(there) <= set(numbers) and at_their_place:
        return {number: label for label, number in enumerate(numbers)}
    if all(map(is_integer, there)) and not set(classes) & set(there):
        raise BorderlineError(
            f"source.classes names {len(classes)} classes, but none of the labels of {source} "
            f"({', '.join(there[:_SHOWN])}): choose among these, or name {int(there[-1]) + 1} "
            f"classes, those of the labels 0 to {there[-1]}."
        )
    for name in classes:
        if name not in there:
            raise BorderlineError(
                f"source.classes names {name!r}, but {source} has no training image of this class "
                f"(there are {', '.join(there)}): correct it."
            )
    if set(there) - set(classes):
        left = ", ".join(name for name in there if name not in classes)
        logger.info("Classes of %s that source.classes leaves out: %s", source, left)
    return {name: label for label, name in enumerate(classes)}


def find_label(
    name: int | str, classes: Sequence[str], there: Container[int], setting: str, source: str
) -> int:
    """The label of a class, from its name or its label in a setting.

    The text of the name counts first: 7 and '7' mean the class called '7'. Where no class is called
    by a number, they mean the label 7. '07' means only the class called '07'.

    Args:
        classes: The names of the classes in the order of their labels.
        there: The labels that images have.
        setting: The name of the setting in messages.
        source: The name of the images in messages.

    Raises:
        BorderlineError: When there is no such class, or when it has no images.
    """
    text = same_letters(str(name), classes)
    numbered = any(map(_NUMBER.fullmatch, classes))
    if text in classes:
        label = classes.index(text)
    elif not numbered and is_integer(text) and text == str(int(text)):
        label = int(text)
    else:
        label = -1
    if label in there:
        return label
    said = f"{setting} is {name!r}, but {source} has no "
    if 0 <= label < len(classes):
        raise BorderlineError(
            f"{said}images of the class {classes[label]!r}: add some, or choose another class."
        )
    # YAML reads 07 as the number 7.
    alike = [c for c in classes if _number(c) == _number(text) is not None]
    if alike:
        quoted = " or ".join(map(repr, alike))
        raise BorderlineError(
            f"{said}class of that name: write its name as the files have it, in quotes: {quoted}."
        )
    # An index would be taken for a name where classes are called by numbers.
    known = [c if numbered or c == str(i) else f"{i} ({c})" for i, c in enumerate(classes)]
    hint = did_you_mean(text, classes)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    raise BorderlineError(
        f"{said}such class{hint}: choose one of {', '.join(known[:_SHOWN])}{more}."
    )


def same_letters(name: str, names: Sequence[str]) -> str:
    """A name as ``names`` write it: systems differ in how they store letters with accents.

    Example:
        >>> len("e\u0301"), len(same_letters("e\u0301", ["\u00e9"]))
        (2, 1)
    """
    composed = unicodedata.normalize("NFC", name)
    alike = [other for other in names if unicodedata.normalize("NFC", other) == composed]
    return alike[0] if len(alike) == 1 else name


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None

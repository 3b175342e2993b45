"""Names that YAML read as something other than text, such as ``007``, ``1:30``, ``on`` and ``~``.

YAML turns unquoted text into numbers, truth values and nothing before any check sees it. A setting
that takes text is therefore compared with the characters in the file.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.config_loader import ConfigLoader
    from borderline.params import Params

_PLAIN_NUMBER = re.compile(r"0|-?[1-9][0-9]*")
Written = Callable[[str], tuple[str, str] | None]
"""The characters and the place of a value, by dotted name; None if they are not known."""


def check_files(loader: ConfigLoader, kinds: tuple[str, ...], model: type[Params]) -> None:
    """Check the names in the files that a loader has read.

    Raises:
        BorderlineError: When a name is not read as it is written.
    """
    for kind in kinds:
        for path, values in loader.files.get(kind, {}).items():

            def written(name: str, path: Any = path) -> tuple[str, str] | None:
                scalar = loader.written(path, name)
                return scalar and (scalar.text, f"line {scalar.line} of {loader.shown(path)}")

            check_names_as_written(values, model, written)


def check_names_as_written(
    values: Mapping[str, Any], model: type[Params], written: Written = lambda _: None
) -> None:
    """Check the names in nested settings, which the model describes.

    Raises:
        BorderlineError: When a name is not read as it is written.
    """
    for name, value, accepted in _suspicious(values, (model,), ""):
        text, place = written(name) or (None, "")
        number = isinstance(value, int) and not isinstance(value, bool)
        if number and {int, float} & accepted and (text is None or _PLAIN_NUMBER.fullmatch(text)):
            continue
        raise BorderlineError(_sentence(name, value, text, place))


def _sentence(name: str, value: Any, text: str | None, place: str) -> str:
    if text == "":
        return f"{name} has no value in {place}: set it, or remove the line."
    if text is None:
        return (
            f"{name} is {value!r}, but it must be text: put it in quotes, as in "
            f"--params \"{name}='text'\"."
        )
    remedy = f"write '{text}' in quotes"
    if place == "--params" and "[" not in name:  # An item of a list has no name there.
        remedy = f"write --params \"{name}='{text}'\""
    if text == str(value):
        return f"{name} is {value!r} in {place}, but it must be text: {remedy}."
    return f"{name} is {value!r}, but it is written as {text} in {place}: {remedy}."


def _suspicious(
    value: Any, annotations: tuple[Any, ...], name: str
) -> Iterator[tuple[str, Any, set[Any]]]:
    """Values that are no text where text is possible: dotted name, value, possible types."""
    members = [m for annotation in annotations for m in _members(annotation)]
    if isinstance(value, Mapping):
        for key, inner in value.items():
            below = tuple(_below(members, key))
            yield from _suspicious(inner, below, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        items = tuple(
            item for m in members if get_origin(m) in (list, tuple) for item in get_args(m)[:1]
        )
        for number, inner in enumerate(value):
            yield from _suspicious(inner, items, f"{name}[{number}]")
    else:
        accepted = {m for m in members if isinstance(m, type)}
        if str in accepted and not isinstance(value, str) and not _is_accepted(value, accepted):
            yield name, value, accepted


def _is_accepted(value: Any, accepted: set[Any]) -> bool:
    """Whether a value that is no text has one of the types; a number is text in disguise."""
    number = isinstance(value, int) and not isinstance(value, bool)
    return type(value) in accepted and not number


def _below(members: list[Any], key: Any) -> Iterator[Any]:
    for member in members:
        if isinstance(member, type) and issubclass(member, BaseModel):
            if key in member.model_fields:
                yield member.model_fields[key].annotation
        elif get_origin(member) is dict:
            yield get_args(member)[1]


def _members(annotation: Any) -> list[Any]:
    """The types of a union, without marks."""
    if hasattr(annotation, "__metadata__"):
        return _members(annotation.__origin__)
    if get_origin(annotation) in (Union, types.UnionType):
        return [m for part in get_args(annotation) for m in _members(part)]
    return [annotation]

"""Values of the options of ``kedro new-case``."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import click
import yaml

from borderline.boundary import ConfusionParams
from borderline.errors import BorderlineError
from borderline.params import Params

LISTS: dict[str, tuple[type[Any], int | None]] = {
    "classes": (str, None),
    "levels": (str, None),
    "columns": (int, 2),
    "mean": (float, None),
    "std": (float, None),
    "size": (int, None),
    "input-size": (int, None),
    "input-range": (float, 2),
    "range": (float, 2),
}
"""The options that are lists, with their types and lengths."""


class _Boundary(Params):
    confusion: ConfusionParams


_TWO = {
    "columns": "the columns of the positive and the negative class",
    "input-range": "black and white for the model",
    "range": "black and white in the images",
}


def prompted(option: str, value: str | None, question: str, silent: bool) -> str:
    """The value of an option; asked for if it is missing, or an error if ``silent``."""
    if value is not None:
        return value
    if silent:
        raise BorderlineError(f"--{option} is missing: add it, or leave --no-input out.")
    return str(click.prompt(question))


def from_project(path: str, project: Path) -> str:
    """A path relative to the project, if it lies inside."""
    if path == "mnist_sample":
        return path
    whole = Path(path).expanduser()
    whole = whole if whole.is_absolute() else whole.resolve()
    return str(whole.relative_to(project) if whole.is_relative_to(project) else whole)


def listed(option: str, text: str) -> list[Any]:
    """The items of an option that is a list, in their types; an item in quotes may hold commas."""
    kind, length = LISTS[option]
    try:
        items = next(csv.reader([text], skipinitialspace=True), [])
        values = [kind(item.strip()) for item in items if item.strip()]
    except (ValueError, csv.Error) as error:
        items_of = "names" if kind is str else "numbers"
        raise BorderlineError(
            f"--{option} is {text!r}, but it needs {items_of} separated by commas: correct it."
        ) from error
    if any(kind is float and not math.isfinite(value) for value in values):
        raise BorderlineError(f"--{option} is {text!r}, but its numbers must be finite.")
    if values and length not in (None, len(values)):
        raise BorderlineError(f"--{option} is {text!r}, but it needs two numbers: {_TWO[option]}.")
    if values and option.endswith("range") and values[0] >= values[1]:
        raise BorderlineError(
            f"--{option} is {text!r}, but its second number must be greater: {_TWO[option]}."
        )
    return values


def as_size(sides: list[int]) -> int | list[int] | None:
    """A size as settings have it: the side of a square, or height and width; None for no sides."""
    return sides[0] if len(sides) == 1 else sides or None


def threshold_of(text: str | None) -> Any:
    """The value of ``--threshold``: a number, or an operating point as a mapping."""
    if text is None:
        return None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def confusion_of(settings: dict[str, Any]) -> ConfusionParams:
    """The checked settings of the decision boundary."""
    from borderline.preflight.sentences import validated

    return validated(_Boundary, {"confusion": settings}, "parameters.yml").confusion


def mapping(option: str, text: str) -> dict[str, Any]:
    """The names and values of an option that is a mapping in YAML."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        values = text
    if not isinstance(values, dict):
        raise BorderlineError(
            f"--{option} is {text!r}, but it needs names with values, such as "
            "'{num_classes: 10}': correct it."
        )
    return values

"""Errors about settings, in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from borderline.errors import BorderlineError, closest, did_you_mean
from borderline.params import Params
from borderline.pipelines.classifier.params import JUDGE_KINDS, MODEL_KINDS
from borderline.pipelines.gasten.kinds import KINDS

KINDS_OF: dict[str, dict[str, type[Params]]] = {
    "generators": {name: kind.Settings for name, kind in KINDS.items()},
    "models": MODEL_KINDS,
    "judge": JUDGE_KINDS,
}
"""The settings of each kind, by group."""
SINGLE = ("judge",)
"""The groups that are one entry; the others hold entries by name."""
_MEMBERS = ("int", "str", "float", "bool", "number", "operating_point")
"""Members of unions, which pydantic adds to the place of an error."""
AnyParams = TypeVar("AnyParams", bound=Params)


def validated(model: type[AnyParams], raw: dict[str, Any], files: str) -> AnyParams:
    """Settings in their types; an error names ``files`` as the place to correct."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise BorderlineError(_sentence(model, raw, error.errors(), files)) from error


def _sentence(
    model: type[Params], raw: dict[str, Any], errors: list[ErrorDetails], files: str
) -> str:
    """A sentence about the first error."""
    error, path = errors[0], _path(raw, errors[0]["loc"])
    place, value = ".".join(str(part) for part in path), error["input"]
    if error["type"] == "extra_forbidden":
        *groups, name = map(str, path)
        return unknown(groups, name, _fields_beside(model, raw, path), files)
    if error["type"] in ("union_tag_invalid", "union_tag_not_found") and isinstance(value, dict):
        kind, kinds = value.get("kind"), KINDS_OF[str(path[0])]
        return (
            f"{place}.kind is {kind!r}{did_you_mean(str(kind), kinds)}: choose one of "
            f"{', '.join(map(repr, kinds))}."
        )
    in_list = isinstance(error["loc"][-1], int)
    if error["type"] == "missing" and not in_list:
        return f"{place} is missing: set it in conf/<env>/{files}."
    message = error["msg"][0].lower() + error["msg"][1:]
    if error["type"] == "missing":
        message = "it lacks a value"
    if error["type"] == "literal_error":
        # A union has an error for each member.
        others = [e["msg"] for e in errors[1:] if _path(raw, e["loc"]) == path]
        others = [o.removeprefix("Input should be ") for o in others if o.startswith("Input")]
        message = ", or ".join([message, *others])
    message = message.removeprefix("value error, ").replace("input should be", "it must be")
    # Pydantic names the class, which no user knows.
    message = re.sub(
        r"a valid dictionary( or (instance of \w+|object to extract fields from))?",
        "a group of settings",
        re.sub(r"a valid (tuple|list)", "a list", message),
    )
    many = r"^(tuple|list|dictionary) should have (at \w+ \d+ items?) after validation.*"
    message = re.sub(many, r"it must have \2", message)
    remedy = "correct it in conf/<env> or in --params."
    if isinstance(value, dict):
        return f"{place} is invalid: {message}; {remedy}"
    return f"{place} is {value!r}, but {message}: {remedy}"


def unknown(groups: Iterable[str], name: str, known: Iterable[str], files: str) -> str:
    """The sentence about a setting that is not among the known names of its groups."""
    known, groups = list(known), list(groups)
    group, *rest = name.split(".")
    if rest and group in known:
        nested = "{".join(f"{part}: " for part in [*groups, group, *rest])
        return (
            f"Setting {'.'.join([*groups, name])!r} has dots in one key: nest its groups, "
            f"{nested}...{'}' * (len(groups) + len(rest))}."
        )
    hint = closest(name, known)
    meant = f"Did you mean {'.'.join([*groups, hint])!r}? " if hint else ""
    return (
        f"Unknown setting {'.'.join([*groups, name])!r}. {meant}"
        f"Settings are listed in conf/base/{files}."
    )


def _path(raw: Any, location: tuple[int | str, ...]) -> list[int | str]:
    """The place of an error in the input: its location without the names of a union's members."""
    path: list[int | str] = []
    for part in location[:-1]:
        if isinstance(raw, dict | list) and (part in raw or isinstance(part, int)):
            raw = raw[part]  # type: ignore[index]
            path.append(part)
    member = location[-1] in _MEMBERS or _is_tag(location)
    return [*path, *location[-1:]] if isinstance(raw, dict) and not member else path


def _is_tag(location: tuple[int | str, ...]) -> bool:
    length = 2 if location[0] in SINGLE else 3
    return len(location) == length and location[-1] in KINDS_OF.get(str(location[0]), ())


def _fields_beside(root: type[Params], raw: dict[str, Any], path: list[int | str]) -> list[str]:
    if path[0] in SINGLE and len(path) > 1:
        root, path = KINDS_OF[str(path[0])][raw[path[0]]["kind"]], path[1:]
    elif path[0] in KINDS_OF and len(path) > 1:
        root, path = KINDS_OF[str(path[0])][raw[path[0]][path[1]]["kind"]], path[2:]
    model: Any = root
    for part in path[:-1]:
        fields = getattr(model, "model_fields", None)
        if fields is None:
            break
        annotation = fields[part].annotation if part in fields else model
        arguments = [a for a in getattr(annotation, "__args__", ()) if a is not type(None)]
        model = arguments[-1] if arguments else annotation
    return sorted(getattr(model, "model_fields", {}))


def check_names(setting: str, names: Iterable[str], known: Iterable[str], defined_in: str) -> None:
    """Make sure that a setting names known things, at least one and none twice."""
    names, known = list(names), list(known)
    if not names:
        raise BorderlineError(f"{setting} is empty: name at least one of {', '.join(known)}.")
    for name in names:
        if name not in known:
            raise BorderlineError(
                f"{setting} is {name!r}{did_you_mean(name, known)}: choose one of "
                f"{', '.join(known)}, or add it to {defined_in}."
            )
    if len(set(names)) < len(names):
        raise BorderlineError(f"{setting} names something twice ({', '.join(names)}): remove one.")

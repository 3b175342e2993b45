"""Options that hold settings: their faults become one sentence each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
from omegaconf import OmegaConf

from borderline.errors import BorderlineError
from borderline.yaml_text import Fault, decoded, fault_in, scalars, value_fault

_DOTTED = re.compile(r"[^\s.\[\]{}]+(\.[^\s.\[\]{}]+)*")
_OPENING, _CLOSING = "[{", "]}"


def settings(option: str, value: Any) -> dict[str, Any]:
    """The settings of an option, nested; Kedro itself would split a list at its commas.

    Raises:
        BorderlineError: When a setting cannot be read.
    """
    if isinstance(value, dict):
        return value
    config, known = OmegaConf.create(), dict[str, str]()
    for item in split(value):
        name, equals, text = item.partition("=")
        name = name.strip()
        if not name or not equals:
            raise BorderlineError(
                f"{option} has {item!r}, but a setting is <name>=<value>: correct it, or put a "
                "value with commas in quotes."
            )
        if not _DOTTED.fullmatch(name):
            raise BorderlineError(
                f"{option} has {item!r}, but {name!r} is no name of a setting: write a dotted "
                "name, such as gan.epochs=3."
            )
        for other in known:
            if name == other or name.startswith(f"{other}.") or other.startswith(f"{name}."):
                raise BorderlineError(
                    f"{option} sets {name} twice: remove one."
                    if name == other
                    else f"{option} sets {other} and {name}, of which one contains the other: "
                    "remove one."
                )
        if not text.lstrip().startswith(("'", '"')) and re.search(r"(^|\s)#", text):
            raise BorderlineError(
                f"{option} has {item!r}, of which YAML would drop the part from # on: put the "
                "value in quotes."
            )
        known[name] = text
        fault = value_fault(text)
        if fault is not None:
            raise BorderlineError(
                f"{option} has {item!r}, which cannot be read, because {fault.reason}."
            )
        config.merge_with_dotlist([f"{name}={text}"])
    nested: Any = OmegaConf.to_container(config)
    if option == "--params" and nested:
        _check_names(nested, known)
    return nested  # type: ignore[no-any-return]


def split(text: str) -> list[str]:
    """The settings of an option: the text between commas outside of quotes and brackets.

    Example:
        >>> split("a=[1,2], b='x,y',c={d: 1, e: 2}")
        ['a=[1,2]', "b='x,y'", 'c={d: 1, e: 2}']
    """
    items, depth, quote, start, before = [], 0, "", 0, ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and before in {"", "=", ",", ":", *_OPENING}:
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth = max(depth - 1, 0)
        elif letter == "," and not depth:
            items.append(text[start:place])
            start = place + 1
        before = letter if letter.strip() else before
    items.append(text[start:])
    return [item.strip() for item in items if item.strip()]


def _check_names(nested: dict[str, Any], known: dict[str, str]) -> None:
    """Check that names are read as they are written."""
    from borderline.preflight.configuration import Parameters
    from borderline.preflight.written import check_names_as_written

    def written(name: str) -> tuple[str, str] | None:
        for setting, text in known.items():
            for inner, scalar in scalars(f"value: {text}").items():
                if name == setting + inner.removeprefix("value"):
                    return scalar.text, "--params"
        return None

    check_names_as_written(nested, Parameters, written)


def check_config_file(path: str, section: str) -> None:
    """Check that the file of ``--config`` has the options of a command.

    Raises:
        BorderlineError: When it cannot be read.
    """
    text = decoded(Path(path).read_bytes())
    fault = text if isinstance(text, Fault) else fault_in(text, deep=False)
    if fault is not None:
        place = f" in {fault.place}" if fault.place else ""
        raise BorderlineError(
            f"--config is {path!r}, which cannot be read{place}, because {fault.reason}."
        )
    options = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(options, dict) or not isinstance(options.get(section), dict):
        raise BorderlineError(
            f"--config is {path!r}, but it has no group {section!r}: write the options below "
            f"'{section}:', with their names."
        )


def runner_of(name: str | None, params: dict[str, Any]) -> None:
    """Check that a runner exists and takes its settings.

    Raises:
        BorderlineError: When it does not.
    """
    import inspect

    from kedro.runner import AbstractRunner
    from kedro.utils import load_obj

    try:
        runner = load_obj(name or "SequentialRunner", "kedro.runner")
        if not (inspect.isclass(runner) and issubclass(runner, AbstractRunner)):
            raise TypeError(f"{name} is no class of a runner")
        if inspect.isabstract(runner):
            raise TypeError(f"{name} is only the base of runners")
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise BorderlineError(
            f"--runner is {name!r}, which cannot be loaded ({error}): choose SequentialRunner, "
            "ThreadRunner or borderline.runners.DaskRunner (docs/machines.md)."
        ) from error
    try:
        inspect.signature(runner).bind(**{"is_async": False, **params})
    except TypeError as error:
        reason = re.sub(r"^.*\(\) ", "", str(error))
        raise BorderlineError(
            f"--runner-params does not fit {runner.__name__} ({reason}): correct or remove it."
        ) from error


def settings_option(name: str, help_text: str) -> click.Option:
    """An option that holds settings."""
    return click.Option(
        [name],
        type=click.UNPROCESSED,
        default="",
        callback=lambda _context, _option, value: settings(name, value),
        help=help_text,
    )

"""Faults in code that is not Borderline's: the line of the user's code that they come from."""

from __future__ import annotations

import linecache
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import borderline
from borderline.errors import BorderlineError

_LONGEST_LINE = 60
_LONGEST_MESSAGE = 110


class CodeFault(BorderlineError):
    """A fault in the user's code: its message and the line, no full stop at its end."""


@contextmanager
def faults_with_lines() -> Iterator[None]:
    """Give the line of the user's code to an error that comes from it.

    Raises:
        CodeFault: In place of an error whose traceback goes through the user's code.
    """
    try:
        yield
    except BorderlineError:
        raise
    except (Exception, SystemExit) as error:  # A run that ends at once would seem to be finished.
        place = place_of(error)
        if place is None or _is_out_of_memory(error):
            raise
        raise CodeFault(f"{message_of(error)}, {place}") from error


def place_of(error: BaseException) -> str | None:
    """File, line and source of the innermost user's code in a traceback; None where there is none.

    The user's code is neither in Borderline nor in the standard library nor installed.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [(frame.filename, frame.lineno or 0) for frame in frames]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno or 0))
    for file, number in reversed(places):
        if _is_users(file):
            line = " ".join(linecache.getline(file, number).split())
            cut = f"{line[:_LONGEST_LINE]}..." if len(line) > _LONGEST_LINE else line
            return f"{_short(file)}:{number}: {cut}"
    return None


def message_of(error: BaseException) -> str:
    """The type of an error and the first line of its message."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:_LONGEST_MESSAGE]}".rstrip(".: ")


def _is_users(file: str) -> bool:
    paths = sysconfig.get_paths()
    installed = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    path = Path(file)
    return path.is_file() and not any(
        path.is_relative_to(folder) for folder in (*installed, *borderline.__path__)
    )


def _short(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError)

"""Code of the user's own, by its import path."""

from __future__ import annotations

import importlib.util
import pkgutil
from pathlib import Path
from typing import Any

from borderline.errors import BorderlineError
from borderline.imported.params import Source


def found_at(import_path: str, setting: str = "import_path") -> Any:
    """What an import path names.

    Args:
        import_path: ``package.module.Name``.
        setting: What it is called in the parameters, for the message.

    Raises:
        BorderlineError: When there is nothing of that name, or importing it fails.
    """
    try:
        return pkgutil.resolve_name(import_path)
    except Exception as error:
        raise BorderlineError(
            f"{setting} is {import_path!r}, which cannot be imported ({error}): correct it, or put "
            "its module into src/, or install its package."
        ) from error


def code_at(import_path: str) -> bytes:
    """The content of the module that an import path leads through; empty where it has no file.

    Args:
        import_path: ``package.module.Name``.
    """
    parts = import_path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:length]))
        except (ImportError, ValueError):
            continue
        if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
            return Path(spec.origin).read_bytes()
    return b""


def made(source: Source) -> Any:
    """What the import path of a source names; of a class, or with arguments, what calling it gives.

    Raises:
        BorderlineError: When it cannot be imported or made.
    """
    assert source.import_path is not None
    found = found_at(source.import_path)
    if not isinstance(found, type) and not source.arguments and source.kind == "callable":
        return found
    try:
        return found(**source.arguments)
    except Exception as error:
        raise BorderlineError(
            f"arguments is {source.arguments}, with which {source.import_path} cannot be made "
            f"({error}): correct it."
        ) from error

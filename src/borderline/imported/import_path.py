"""Python objects by import path, and the digest of a source."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from borderline.errors import BorderlineError
from borderline.imported.import_rules import innermost_module, resolve
from borderline.imported.params import Source
from borderline.imported.user_code import message_of, place_of


def import_object(import_path: str, setting: str = "import_path") -> Any:
    """The object at an import path, which a setting holds.

    Raises:
        BorderlineError: When the import fails, the module has no such name, or the object may not
            be called; see :mod:`borderline.imported.import_rules`.
    """
    try:
        return resolve(import_path, setting)
    except BorderlineError:
        raise
    except (Exception, SystemExit) as error:  # A script may read its own arguments, and end.
        raise BorderlineError(
            f"{setting} is {import_path!r}, which cannot be imported ({_said(error)}): correct it, "
            "or put its module into src/, or install its package."
        ) from error


def make_object(source: Source) -> Any:
    """The instance of a source's class, or its function if that is the model itself.

    Raises:
        BorderlineError: When the import or the call fails.
    """
    assert source.import_path is not None
    factory = import_object(source.import_path)
    if not isinstance(factory, type) and not source.arguments and source.kind == "callable":
        return factory
    try:
        return factory(**source.arguments)
    except (Exception, SystemExit) as error:
        raise BorderlineError(
            f"arguments is {source.arguments}, but {source.import_path} cannot be called with it "
            f"({_said(error)}): correct it."
        ) from error


def _said(error: BaseException) -> str:
    """The message of an error, with the line of the user's code that it comes from."""
    place = place_of(error)
    return str(error) if place is None else f"{message_of(error)}, {place}"


def digest_of_source(source: Source, content: bytes) -> str:
    """16 hexadecimal digits of the SHA-256 of a file and of the module that belongs to it."""
    code = b"" if source.import_path is None else _module_code(source.import_path)
    return hashlib.sha256(content + code).hexdigest()[:16]


def _module_code(import_path: str) -> bytes:
    """The bytes of the innermost module on an import path; empty if it has no file."""
    try:
        module = innermost_module(import_path)
        spec = None if module is None else importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return b""
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return b""
    return Path(spec.origin).read_bytes()

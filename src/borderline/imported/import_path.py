"""Python objects by import path, and the digest of a source."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from borderline.errors import BorderlineError
from borderline.imported.import_rules import innermost_module, modules_of, resolve
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
    """16 hexadecimal digits of the SHA-256 of a file and of the innermost module on its path."""
    module = None if source.import_path is None else _file_of_module(source.import_path)
    code = b"" if module is None else module.read_bytes()
    return hashlib.sha256(content + code).hexdigest()[:16]


def digest_of_code(source: Source) -> str | None:
    """16 hexadecimal digits of the SHA-256 of the files that define the object of a source.

    None where these are the innermost module on its path alone: :func:`digest_of_source` knows it.
    """
    if source.import_path is None:
        return None
    module = _file_of_module(source.import_path)
    files = [file for file in _files_of_code(source.import_path) if file != module]
    code = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(code).hexdigest()[:16] if files else None


def _file_of_module(import_path: str) -> Path | None:
    try:
        module = innermost_module(import_path)
        spec = None if module is None else importlib.util.find_spec(module)
    # The checks of the model say why it cannot be imported.
    except (Exception, SystemExit):
        return None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return None
    return Path(spec.origin)


def _files_of_code(import_path: str) -> list[Path]:
    """The files of the package of an import path that define the object, or a class that it
    derives from."""
    try:
        found = resolve(import_path, "import_path")
    except (Exception, SystemExit):
        return []
    package = import_path.replace(":", ".").partition(".")[0]
    owners = found.__mro__ if isinstance(found, type) else (found,)
    files: dict[Path, None] = {}
    for name in (name for owner in owners for name in modules_of(owner)):
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin is not None and name.partition(".")[0] == package:
            files[Path(origin)] = None
    return [file for file in files if file.is_file()]

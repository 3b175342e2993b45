"""The rule on import paths: the code that a file of settings may name.

The object at the path decides, not the path, since many modules show the names of others:
``torch.os.system`` is a function of the standard library.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import site
import sys
import sysconfig
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from borderline.errors import BorderlineError

_REMEDY = (
    "name a class that derives from torch.nn.Module, or a function or class of src/ or of an "
    "installed package"
)


def resolve(import_path: str, setting: str) -> Any:
    """The object at an import path.

    Raises:
        BorderlineError: When a module on the path may not be imported, or the object not called.
        ImportError: When there is no such module.
        AttributeError: When the module has no such name.
    """
    said = f"{setting} is {import_path!r}"
    modules, names = _parts(import_path, said)
    if not modules:
        raise ModuleNotFoundError(f"No module named {import_path.partition('.')[0]!r}")
    found: Any = importlib.import_module(modules[-1])
    for name in names:
        # A module of Python among the names of another one, such as torch.os.
        _check_object(found, said, only_modules=True)
        found = getattr(found, name)
    if callable(found) or isinstance(found, types.ModuleType):
        _check_object(found, said)
    return found


def innermost_module(import_path: str) -> str | None:
    """The innermost module on an import path; None where there is none."""
    modules, _ = _parts(import_path, f"import_path is {import_path!r}")
    return modules[-1] if modules else None


def _parts(import_path: str, said: str) -> tuple[list[str], list[str]]:
    """The modules on a path, outermost first, and the names in the last one.

    A package is imported to find the modules in it, after its own check.
    """
    parts = import_path.replace(":", ".").split(".")
    modules: list[str] = []
    for length in range(1, len(parts) + 1):
        name = ".".join(parts[:length])
        try:
            spec = find_spec(name)
        except ModuleNotFoundError as error:
            # A module is no package, so the next name is one of its objects.
            if error.name != name:
                raise
            spec = None
        except ValueError:  # A module that a library has made without a file.
            if not modules:
                raise
            spec = None
        if spec is None:
            break
        _check(spec, said)
        modules.append(name)
    return modules, parts[len(modules) :]


def _check(spec: ModuleSpec, said: str) -> None:
    """Check the module of a spec before its import, since an import runs code."""
    if _is_standard(spec.name, spec.origin):
        raise BorderlineError(_standard(said, spec.name))
    here, depth = Path.cwd().resolve(), spec.name.count(".")
    for folder in _folders(spec):
        if here == folder.parents[depth] and not _is_chosen(here):
            raise BorderlineError(
                f"{said}, but its module is found only because the run starts in its folder "
                f"({folder}): move it into src/, install it, or name its folder in PYTHONPATH."
            )


def _check_object(found: Any, said: str, *, only_modules: bool = False) -> None:
    if only_modules and not isinstance(found, types.ModuleType):
        return
    for module in modules_of(found):
        if _is_standard(module):
            raise BorderlineError(_standard(said, module))


def _folders(spec: ModuleSpec) -> list[Path]:
    """The places of a module: its file without suffix, or the folders of a package."""
    if spec.submodule_search_locations is not None:
        return [Path(folder).resolve() for folder in spec.submodule_search_locations]
    return [Path(spec.origin).resolve()] if spec.origin and spec.has_location else []


def _is_chosen(folder: Path) -> bool:
    """Whether somebody has named the current folder as a place of modules.

    Python itself adds it for ``python -m``. A user names it in PYTHONPATH, or installs its project
    for editing; code of the user's may add it to ``sys.path``.
    """
    if "" not in sys.path and folder not in map(Path, _AT_START):
        return True
    named = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if any(Path(entry).resolve() == folder for entry in named):
        return True
    origins = (distribution.read_text("direct_url.json") for distribution in distributions())
    return any(json.loads(text).get("url") == folder.as_uri() for text in origins if text)


def modules_of(found: Any) -> Iterator[str]:
    """The names of the modules that define what a call of an object runs."""
    if isinstance(found, functools.partial):
        yield from modules_of(found.func)
    elif isinstance(found, types.MethodType):
        yield from modules_of(found.__func__)
    elif isinstance(found, types.ModuleType):
        yield found.__name__
    elif hasattr(found, "__wrapped__") and not isinstance(found, type):
        # A decorator of the standard library, such as lru_cache, around a function.
        yield from modules_of(found.__wrapped__)
    elif isinstance(found, type):
        yield found.__module__
    elif isinstance(found, types.FunctionType):
        yield found.__globals__.get("__name__") or ""
        yield found.__module__ or ""
    elif isinstance(found, types.BuiltinFunctionType):
        owner = found.__self__
        if found.__module__:
            yield found.__module__
        else:
            yield from modules_of(owner if isinstance(owner, type) else type(owner))
    else:
        yield from modules_of(type(found))


def _is_standard(module: str, origin: str | None = None) -> bool:
    """Whether a module belongs to Python itself, also one that is not imported yet."""
    root = module.partition(".")[0]
    known = sys.modules.get(root)
    place = origin or (getattr(known, "__file__", None) if known is not None else None)
    if place is None or not Path(place).is_absolute():  # built-in or frozen
        return root in sys.stdlib_module_names
    return _is_in(place, _STANDARD) and not _is_in(place, _INSTALLED)


def _is_in(place: str, folders: tuple[str, ...]) -> bool:
    return any(Path(place).is_relative_to(folder) for folder in folders)


_AT_START = tuple(sys.path)
_PATHS = sysconfig.get_paths()
_STANDARD = (_PATHS["stdlib"], _PATHS["platstdlib"])
_INSTALLED = tuple(
    folder
    for folder in (_PATHS["purelib"], _PATHS["platlib"], *site.getsitepackages())
    if folder not in _STANDARD
)


def _standard(said: str, module: str) -> str:
    return (
        f"{said}, which is part of Python itself (module {module}) and can do anything on your "
        f"machine, so it is not called: {_REMEDY}."
    )

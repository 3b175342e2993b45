"""The classes and functions of this package that a stored model may name.

A file names them as ``module.name``. It cannot name others: only a declaration in the code makes
a class or a function storable, and only modules of this package are searched for one.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from borderline.params import Params

_OF_THE_PACKAGE = re.compile(rf"{__package__.partition('.')[0]}(\.[a-z][a-z0-9_]*)+")
Made = TypeVar("Made", bound=Callable[..., Any])


class Storable(NamedTuple):
    """A class or a function whose results can be stored.

    Attributes:
        make: The class or the function.
        runs_code: Whether making an object of these arguments runs code from outside the package.
        keeps: Attributes to store beside the arguments.
    """

    make: Callable[..., Any]
    runs_code: Callable[..., bool]
    keeps: tuple[str, ...]


_STORABLE: dict[str, Storable] = {}
# Modules, and classes of modules, that have another name now: files of earlier versions have the
# former one.
_OF_GASTEN = "borderline.pipelines.gasten"
_RENAMED = {"borderline.pipelines.classifier.networks": "borderline.training.networks"} | {
    f"{_OF_GASTEN}.params.{name}": f"{_OF_GASTEN}.gan_params.{name}"
    for name in ("GanParams", "NetworkParams", "EarlyStoppingParams", "SettledParams")
}


def storable(
    *, runs_code: Callable[..., bool] | None = None, keeps: tuple[str, ...] = ()
) -> Callable[[Made], Made]:
    """Declare that a file may name a class, or a function that builds a network.

    A dataclass is stored as its fields. Another class sets ``made_of = (class, arguments)`` in its
    instances. A function needs nothing: its networks remember their arguments and are stored with
    their weights. Its arguments must be of types that can be stored.

    Args:
        runs_code: Takes the arguments and tells whether these run code from outside the package.
        keeps: Attributes of the object to store beside the arguments.
    """

    def declare(made: Made) -> Made:
        declared: Any = made if isinstance(made, type) else _remembering(made)
        never = runs_code or (lambda **_: False)
        _STORABLE[name_of(made)] = Storable(declared, never, keeps)
        return declared  # type: ignore[no-any-return]

    return declare


def _remembering(build: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(build)

    @wraps(build)
    def built(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        network = build(*args, **kwargs)
        network.made_of = build, dict(bound.arguments)
        return network

    return built


def name_of(made: Callable[..., Any]) -> str:
    """The name of a class or a function in a file."""
    return f"{made.__module__}.{made.__qualname__}"


def find(name: str) -> Storable | None:
    """The storable class or function of a name in a file; None if there is none."""
    name = _present(name)
    _import(name)
    return _STORABLE.get(name)


def find_params(name: str) -> type[Params] | None:
    """The group of settings of a name in a file; None if there is none."""
    name = _present(name)
    module = _import(name)
    group = getattr(module, name.rpartition(".")[2], None)
    known = isinstance(group, type) and issubclass(group, Params) and name_of(group) == name
    return group if known else None


def _present(name: str) -> str:
    """The present name of a class or a function, from that in a file."""
    module, _, own = name.rpartition(".")
    return _RENAMED.get(name, f"{_RENAMED.get(module, module)}.{own}")


def _import(name: str) -> Any:
    """The module of a name if it is one of this package, whose own files alone are imported."""
    module = name.rpartition(".")[0]
    if not _OF_THE_PACKAGE.fullmatch(module):
        return None
    try:
        return importlib.import_module(module)
    except ImportError:
        return None

"""The weights in the checkpoints of training scripts."""

from __future__ import annotations

import argparse
import collections
import pathlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from borderline.errors import BorderlineError, did_you_mean

_DEEPEST = 4
# The names that wrappers add inside the names of weights: torch.compile and DataParallel.
_WRAPPERS = ("_orig_mod", "module")
_OPTIONAL = ("num_batches_tracked", "_extra_state")


class WeightSet(NamedTuple):
    """Weights by name.

    Attributes:
        place: Where the weights stand in the file, with dots; ``.`` for the whole file.
    """

    place: str
    weights: Mapping[str, Tensor]


def is_safetensors(content: bytes) -> bool:
    """Whether a file is of safetensors, whatever its name."""
    header = int.from_bytes(content[:8], "little")
    return content[8:9] == b"{" and 0 < header <= len(content) - 8


def is_index(content: bytes) -> bool:
    """Whether a file is the index of weights that stand in several files."""
    return content.lstrip()[:1] == b"{" and b'"weight_map"' in content


def read_checkpoint(content: bytes, *, trust: bool) -> Any:
    """The content of a file of ``torch.save`` or safetensors.

    Without trust, only weights and plain values are read; numbers and arrays of NumPy, paths and
    the arguments of argparse are among these.

    Raises:
        pickle.UnpicklingError: When the file holds more, and is not trusted.
    """
    if is_safetensors(content):
        return load_safetensors(content)
    with torch.serialization.safe_globals(_plain_types()):
        return torch.load(BytesIO(content), map_location="cpu", weights_only=not trust)


def _plain_types() -> list[Any]:
    """Types beside weights whose reading runs no code, also by the names of NumPy 1."""
    core: Any = np._core.multiarray  # type: ignore[attr-defined]
    functions = [(core.scalar, "scalar"), (core._reconstruct, "_reconstruct")]
    return [
        *(function for function, _ in functions),
        *((function, f"numpy.core.multiarray.{name}") for function, name in functions),
        *(np.ndarray, np.dtype, *(getattr(np.dtypes, name) for name in np.dtypes.__all__)),
        *(argparse.Namespace, collections.defaultdict, dict, list, int, float),
        *_paths(),
    ]


def _paths() -> Iterator[tuple[type, str]]:
    """Paths of any system and version of Python, as paths that touch no files."""
    for system, kind in (("Posix", pathlib.PurePosixPath), ("Windows", pathlib.PureWindowsPath)):
        for module in ("pathlib", "pathlib._local"):
            yield kind, f"{module}.{system}Path"


def weight_sets(content: Any) -> list[WeightSet]:
    """All weights in a checkpoint: the tensors of each dictionary, or of a module, in it."""
    return list(_walk(content, ()))


def _walk(content: Any, place: tuple[str, ...]) -> Iterator[WeightSet]:
    content = content.state_dict() if isinstance(content, nn.Module) else content
    if not isinstance(content, Mapping) or len(place) > _DEEPEST:
        return
    named = {name: value for name, value in content.items() if isinstance(name, str)}
    weights = OrderedDict((name, v) for name, v in named.items() if isinstance(v, Tensor))
    if weights:
        weights._metadata = getattr(content, "_metadata", None)  # type: ignore[attr-defined]
        yield WeightSet(".".join(place) or ".", weights)
    for name, value in named.items():
        if isinstance(value, Mapping | nn.Module):
            yield from _walk(value, (*place, name))


def fitting(sets: list[WeightSet], own: Mapping[str, Tensor]) -> list[WeightSet]:
    """The sets whose names and shapes are those of a model, without their prefixes.

    Args:
        sets: The weights of a file.
        own: The state dictionary of the model.
    """
    found = [fit for each in sets for fit in _without_prefix(each, own)]
    if not found:
        found = [fit for each in sets for fit in _without_prefix(_unwrapped(each, own), own)]
    distinct: list[WeightSet] = []
    for fit in found:
        if not any(_equal(fit.weights, other.weights) for other in distinct):
            distinct.append(fit)
    return distinct


def _without_prefix(each: WeightSet, own: Mapping[str, Tensor]) -> Iterator[WeightSet]:
    needed = {name for name in own if not name.endswith(_OPTIONAL)} or set(own)
    last = max(needed, key=len, default="")
    ends = [name for name in each.weights if name == last or name.endswith(f".{last}")]
    for prefix in (name.removesuffix(last) for name in ends):
        part = _part(each.weights, prefix)
        if needed <= part.keys() <= own.keys() and all(
            _same_shape(part[name], own[name]) for name in part
        ):
            places = [place for place in (each.place, prefix.rstrip(".")) if place not in (".", "")]
            yield WeightSet(".".join(places) or ".", part)


def _part(weights: Mapping[str, Tensor], prefix: str) -> OrderedDict[str, Tensor]:
    """The weights whose names begin with a prefix, without it; with the versions of the modules."""
    part = OrderedDict(
        (name.removeprefix(prefix), value)
        for name, value in weights.items()
        if name.startswith(prefix)
    )
    versions = getattr(weights, "_metadata", None)
    if versions is not None:
        part._metadata = {  # type: ignore[attr-defined]
            name[len(prefix) :]: value
            for name, value in versions.items()
            if f"{name}.".startswith(prefix)
        }
    return part


def _unwrapped(each: WeightSet, own: Mapping[str, Tensor]) -> WeightSet:
    """The weights without the names that wrappers have added inside their names."""
    segments = {segment for name in own for segment in name.split(".")}
    wrappers = [wrapper for wrapper in _WRAPPERS if wrapper not in segments]
    weights = {
        ".".join(part for part in name.split(".") if part not in wrappers): value
        for name, value in each.weights.items()
    }
    return each._replace(weights=weights) if len(weights) == len(each.weights) else each


def _same_shape(one: Tensor, other: Tensor) -> bool:
    return is_lazy(other) or one.shape == other.shape


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def chosen(sets: list[WeightSet], own: Mapping[str, Tensor], key: str | None) -> WeightSet:
    """The set of weights for a model: the one at ``key``, or the only one that fits.

    Where none fits, the part with the most names of the model, whose loading tells what is wrong.

    Raises:
        BorderlineError: When several fit or none is at the key; the sentence begins with ``key``.
    """
    fits = fitting(sets, own)
    if key is not None:
        return _at(key, fits, sets, own)
    if len(fits) > 1:
        raise BorderlineError(
            f"key is None, but {len(fits)} different sets of weights in the file fit the model "
            f"({_places(fits)}): set it (new-case: --key) to one of them."
        )
    return fits[0] if fits else _closest(sets, own)


def _at(
    key: str, fits: list[WeightSet], sets: list[WeightSet], own: Mapping[str, Tensor]
) -> WeightSet:
    for among in (fits, sets):
        here = [each for each in among if each.place == key]
        here = here or [each for each in among if each.place.startswith(f"{key}.")]
        if len(here) == 1 or (here and among is sets):
            return here[0] if among is fits else _closest(here, own)
        if here:
            raise BorderlineError(
                f"key is {key!r}, but {len(here)} sets of weights there fit the model "
                f"({_places(here)}): set it to one of them."
            )
    known = [each.place for each in fits or sets]
    raise BorderlineError(
        f"key is {key!r}, but no weights stand there{did_you_mean(key, known)}: set it to one of "
        f"{_places(fits or sets)}."
    )


def _closest(sets: list[WeightSet], own: Mapping[str, Tensor]) -> WeightSet:
    """The part of a set, below a prefix, with the most names of the model."""
    unwrapped = [_unwrapped(each, own) for each in sets]
    matches = collections.Counter(
        (number, prefix)
        for number, each in enumerate(unwrapped)
        for name in each.weights
        for prefix in _prefixes(name)
        if name.removeprefix(prefix) in own
    )
    if not matches:
        return max(sets, key=lambda each: len(each.weights))
    (number, prefix), _ = matches.most_common(1)[0]
    return unwrapped[number]._replace(weights=_part(unwrapped[number].weights, prefix))


def _prefixes(name: str) -> Iterator[str]:
    yield ""
    yield from (name[: place + 1] for place, sign in enumerate(name) if sign == ".")


def _places(sets: list[WeightSet]) -> str:
    return ", ".join(each.place for each in sets)

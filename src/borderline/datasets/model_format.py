"""Models as tensors and plain JSON: from an object to a tree, and back.

A scalar stands for itself and a list for a list. Every other value is a JSON object with one of the
keys ``tuple``, ``dict``, ``tensor``, ``bytes``, ``params`` (a group of settings) and ``object``
(see :mod:`borderline.datasets.storable`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from borderline.datasets.storable import Storable, find, find_params, name_of
from borderline.errors import BorderlineError, NotInstalled
from borderline.params import Params

if TYPE_CHECKING:
    from collections.abc import Mapping

Tree = Any
_SHOWN = 120  # characters of a file's own text in a message
_SCALARS = (bool, int, float, str, type(None))


class Unreadable(ValueError):
    """A tree that is no model of this package; no full stop at its end."""


class Writer:
    """Turns an object into a tree.

    Attributes:
        tensors: The tensors of the tree by name; those of a network have its names of them.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    def tree(self, value: Any, place: str = "") -> Tree:
        """The tree of a value at a place, with dots.

        Raises:
            TypeError: When the value, or one in it, cannot be stored.
        """
        if isinstance(value, _SCALARS):
            return value
        if isinstance(value, list | tuple):
            # A subclass of tuple, such as a shape, is a tuple.
            items = [self.tree(item, f"{place}.{i}") for i, item in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        if type(value) is dict:
            pairs = value.items()
            return {"dict": [[self.tree(k), self.tree(v, f"{place}.{k}")] for k, v in pairs]}
        if isinstance(value, Tensor):
            return {"tensor": self._kept(value, place)}
        if isinstance(value, bytes):
            # A copy, because PyTorch warns of memory that it may not change.
            return {"bytes": self._kept(torch.from_numpy(np.frombuffer(value, "u1").copy()), place)}
        if isinstance(value, Params):
            fields = {
                n: self.tree(getattr(value, n), f"{place}.{n}") for n in type(value).model_fields
            }
            return {"params": name_of(type(value)), "values": fields}
        return self._object(value, place)

    def _object(self, value: Any, place: str) -> Tree:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            make: Callable[..., Any] = type(value)
            arguments = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        else:
            make, arguments = getattr(value, "made_of", (type(value), {}))
        storable = find(name_of(make))
        if storable is None:
            raise TypeError(
                f"{name_of(make)}{place and f' at {place[1:]}'} cannot be stored as a model: "
                "declare it with borderline.datasets.storable"
            )
        tree = {
            "object": name_of(make),
            "arguments": {n: self.tree(v, f"{place}.{n}") for n, v in arguments.items()},
            "keeps": {n: self.tree(getattr(value, n), f"{place}.{n}") for n in storable.keeps},
        }
        if isinstance(value, nn.Module) and not isinstance(make, type):
            tree["weights"] = {
                name: self._kept(tensor, f"{place}.{name}")
                for name, tensor in value.state_dict().items()
            }
            tree["frozen"] = [n for n, p in value.named_parameters() if not p.requires_grad]
            tree["training"] = [n for n, m in value.named_modules() if m.training]
        return tree

    def _kept(self, tensor: Tensor, place: str) -> str:
        name = place.removeprefix(".") or "value"
        while name in self.tensors:
            name += "_"
        tensor = tensor.detach().cpu().contiguous()
        shared = any(tensor.data_ptr() == kept.data_ptr() for kept in self.tensors.values())
        self.tensors[name] = tensor.clone() if shared else tensor
        return name


class Reader:
    """Turns a tree into the object.

    Args:
        tensors: The tensors of the tree by name; each stands at one place.
        allow_code: Called before code from outside the package runs; raises where it must not.
        dry: Check the tree only: make no object, and no network of a size that the tensors do not
            have.

    Raises:
        Unreadable: When the tree is none of a :class:`Writer`.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], allow_code: Callable[[], None], *, dry: bool = False
    ) -> None:
        self._tensors, self._allow_code, self._dry = dict(tensors), allow_code, dry

    def value(self, tree: Tree) -> Any:
        """The value of a tree; None for an object if only the tree is checked."""
        if isinstance(tree, _SCALARS):
            return tree
        if isinstance(tree, list):
            return [self.value(item) for item in tree]
        if not isinstance(tree, dict):
            raise Unreadable("its description is malformed")
        try:
            return self._group(tree)
        except (BorderlineError, Unreadable):
            raise
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable(f"its description is malformed: {_line(error)}") from error

    def _group(self, tree: dict[str, Any]) -> Any:
        if "object" in tree:
            return self._object(tree)
        if "params" in tree:
            return self._params(tree)
        if "tuple" in tree:
            return tuple(self.value(item) for item in tree["tuple"])
        if "dict" in tree:
            return {self.value(name): self.value(item) for name, item in tree["dict"]}
        if "bytes" in tree:
            return self._tensors.pop(tree["bytes"]).numpy().tobytes()
        return self._tensors.pop(tree["tensor"])

    def _params(self, tree: dict[str, Any]) -> Params:
        group = find_params(tree["params"])
        if group is None:
            raise _unknown(tree["params"])
        values = {name: self.value(value) for name, value in tree["values"].items()}
        try:
            return group.model_validate(values)
        except ValueError as error:
            raise Unreadable(f"its settings are not valid: {_line(error)}") from error

    def _object(self, tree: dict[str, Any]) -> Any:
        storable = find(tree["object"])
        if storable is None:
            raise _unknown(tree["object"])
        arguments = {name: self.value(value) for name, value in tree["arguments"].items()}
        if storable.runs_code(**arguments):
            self._allow_code()
        keeps = {name: self.value(tree["keeps"][name]) for name in storable.keeps}
        if not isinstance(storable.make, type):
            made = self._network(storable, arguments, tree)
        else:
            made = None if self._dry else storable.make(**arguments)
        if made is not None:
            for name, value in keeps.items():
                setattr(made, name, value)
        return made

    def _network(
        self, storable: Storable, arguments: dict[str, Any], tree: dict[str, Any]
    ) -> nn.Module | None:
        weights = {name: self._tensors.pop(key) for name, key in tree["weights"].items()}
        # Without memory, so that the tensors of the file bound the size of the network.
        with torch.device("meta"), _NothingDrawn():
            shell = _made(storable, arguments)
        if _outlines(shell.state_dict()) != _outlines(weights):
            raise Unreadable(f"its tensors are not those of {tree['object']} with its arguments")
        if self._dry:
            return None
        # The network draws weights, and reading must leave the random numbers of a run alone.
        with torch.random.fork_rng(devices=[]):
            network = _made(storable, arguments)
        for name, slot in network.state_dict(keep_vars=True).items():
            # In the memory format of the network, and in the same object where others share it.
            slot.data = torch.empty_like(slot, dtype=weights[name].dtype).copy_(weights[name])
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name not in tree["frozen"])
        for name, module in network.named_modules():
            module.training = name in tree["training"]
        return network


class _NothingDrawn(TorchFunctionMode):
    """Leaves out draws, for which PyTorch would load its compiler where there is no memory."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") == "normal_":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _outlines(weights: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, bool]]:
    return {name: (w.shape, w.is_floating_point()) for name, w in weights.items()}


def _made(storable: Storable, arguments: dict[str, Any]) -> nn.Module:
    try:
        network: nn.Module = storable.make(**arguments)
    except NotInstalled:
        raise
    # The errors of PyTorch about impossible sizes have many types.
    except Exception as error:
        raise Unreadable(f"its network cannot be built: {_line(error)}") from error
    return network


def _unknown(name: Any) -> Unreadable:
    return Unreadable(f"it names {repr(name)[:_SHOWN]}, which this version does not have")


def _line(error: Exception) -> str:
    """The beginning of an error's message, on one line."""
    return " ".join(str(error).split())[:_SHOWN].rstrip(".: ")

"""A Python function: images in, outputs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.imported.import_path import import_object, make_object
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.network import Network, NoEmbedding
from borderline.imported.params import Source


class CallableNetwork(Network):
    """A function from tensors (N, C, H, W) to tensors or arrays."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._function = function
        self._embed: Callable[[Tensor], Any] | None = getattr(function, "embed", None)

    def forward(self, images: Tensor) -> Tensor:
        """The result of the function."""
        return _tensor(self._function(images), images)

    def embed(self, images: Tensor) -> Tensor:
        """The result of the embedding function."""
        assert self._embed is not None
        return _tensor(self._embed(images), images)

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """The function's method ``embed``, or the function at the import path ``name``."""
        if name is not None:
            self._embed = import_object(name, "embedding")
        if self._embed is None:
            raise NoEmbedding("a function shows no layers")
        self.layer = name or "embed"


def _tensor(result: Any, images: Tensor) -> Tensor:
    if isinstance(result, Tensor):
        return result
    return torch.as_tensor(np.asarray(result)).to(images.device)


def read(source: Source, content: bytes) -> Network:
    """The function at the import path, or the instance of the class there."""
    function = make_object(source)
    if isinstance(function, nn.Module):
        return ModuleNetwork(function.eval())
    if not callable(function):
        raise BorderlineError(
            f"import_path is {source.import_path!r}, which is a {type(function).__name__} and "
            "cannot be called: name a function, or a class whose instances can be called."
        )
    return CallableNetwork(function)

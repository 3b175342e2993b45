"""Any function of Python's: images in, outputs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.imported.import_path import found_at, made
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.network import Network, NoEmbedding
from borderline.imported.params import Source


class CallableNetwork(Network):
    """A function that takes tensors (N, C, H, W) and gives tensors or arrays.

    Args:
        function: The function; its own method ``embed``, if it has one, embeds.
    """

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._function = function
        self._embed: Callable[[Tensor], Any] | None = getattr(function, "embed", None)

    def forward(self, images: Tensor) -> Tensor:
        """What the function gives."""
        return _tensor(self._function(images), images)

    def embed(self, images: Tensor) -> Tensor:
        """What its embedding function gives."""
        assert self._embed is not None
        return _tensor(self._embed(images), images)

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Its own method ``embed``, or the function at that import path."""
        if name is not None:
            self._embed = found_at(name, "embedding")
        if self._embed is None:
            raise NoEmbedding("a function shows no layers")
        self.layer = name or "embed"


def _tensor(found: Any, images: Tensor) -> Tensor:
    if isinstance(found, Tensor):
        return found
    return torch.as_tensor(np.asarray(found)).to(images.device)


def read(source: Source, content: bytes) -> Network:
    """The function at the import path, or what its class makes."""
    function = made(source)
    if isinstance(function, nn.Module):
        return ModuleNetwork(function.eval())
    if not callable(function):
        raise BorderlineError(
            f"import_path is {source.import_path!r}, which is a {type(function).__name__} and "
            "cannot be called: name a function, or a class whose instances can be called."
        )
    return CallableNetwork(function)

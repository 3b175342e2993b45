"""A Python function: images in, outputs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.imported.import_path import import_object, make_object
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.network import Network, NoEmbedding, NoScores, scored_output
from borderline.imported.params import Source


class CallableNetwork(Network):
    """A function from tensors (N, ...) to tensors or arrays."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function
        self._embed: Callable[[Tensor], Any] | None = getattr(function, "embed", None)

    def forward(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Any:
        """The result of the function."""
        return self._function(images, *labels, **named)

    def outputs(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Tensor:
        """The class scores in the result of the function, on the device of the images."""
        result = self(images, *labels, **named)
        # A list of numbers is an array; a list of tensors, as a tuple, holds several outputs.
        if not isinstance(result, list) or any(isinstance(item, Tensor) for item in result):
            result = scored_output(result, self.output, self.usual)
        return _tensor(result, images)

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

    def count_weights(self) -> None:
        """None, since a function shows no weights."""
        return


def _tensor(result: Any, images: Tensor) -> Tensor:
    """A tensor or what NumPy turns into an array of numbers, on the device of the images.

    Raises:
        NoScores: When it is neither.
    """
    if isinstance(result, Tensor):
        return result.to(images.device)
    if result is not None and not isinstance(result, Mapping):
        try:
            return torch.as_tensor(np.array(result, order="C")).to(images.device)
        except (TypeError, ValueError):  # for example of lists of different lengths
            pass
    names = f" with {', '.join(map(str, result))}" if isinstance(result, Mapping) else ""
    raise NoScores(
        f"it gives a {'None' if result is None else type(result).__name__}{names}, and no tensor "
        "or array of numbers"
    )


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

"""TorchScript, run by PyTorch's own interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import torch
from torch import Tensor

from borderline.imported.network import Network, NoEmbedding
from borderline.imported.params import Source

# Where each operator has the images of a linear layer.
_GIVEN = {"aten::linear": 0, "aten::addmm": 1, "aten::matmul": 0}


class ScriptNetwork(Network):
    """A module of TorchScript.

    Args:
        module: The module, in evaluation mode.
    """

    def __init__(self, module: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.module = module
        self._embed: Callable[[Tensor], Tensor] | None = None

    def forward(self, images: Tensor) -> Tensor:
        """What the module gives."""
        outputs: Tensor = self.module(images)
        return outputs

    def embed(self, images: Tensor) -> Tensor:
        """What the last linear operator is given, or what the module's own method gives."""
        assert self._embed is not None
        return self._embed(images)

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Cut the graph at its last linear operator; or take the exported method of that name."""
        if name is not None:
            if not hasattr(self.module, name) or not callable(getattr(self.module, name)):
                raise NoEmbedding(
                    "of TorchScript a layer cannot be named, only a method that it was exported "
                    "with (torch.jit.export)"
                )
            self._embed, self.layer = getattr(self.module, name), name
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frozen: Any = torch.jit.freeze(self.module)
        graph = frozen.inlined_graph.copy()
        linear = [node for node in graph.nodes() if node.kind() in _GIVEN]
        if not linear:
            raise NoEmbedding("it has no linear operator")
        given = list(linear[-1].inputs())[_GIVEN[linear[-1].kind()]]
        for _ in list(graph.outputs()):
            graph.eraseOutput(0)
        graph.registerOutput(given)
        # Its first input is the module, whose weights freezing has made constants.
        graph.eraseInput(0)
        self._embed = torch._C._create_function_from_graph("embed", graph)
        self.layer = f"before the last {linear[-1].kind().removeprefix('aten::')}"

    def __deepcopy__(self, memo: dict[int, Any]) -> ScriptNetwork:
        # Functions of a graph cannot be copied, and nothing changes one.
        return self


def read(source: Source, content: bytes) -> Network:
    """The module of a TorchScript file, which holds no Python."""
    with warnings.catch_warnings():
        # That TorchScript is deprecated is no news to those who have such a file.
        warnings.simplefilter("ignore")
        return ScriptNetwork(torch.jit.load(BytesIO(content), map_location="cpu").eval())

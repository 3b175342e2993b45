"""TorchScript, run by PyTorch's interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import torch
from torch import Tensor

from borderline.imported.network import Network, NoEmbedding, scored_output
from borderline.imported.params import Source

# The position of the layer's input among the arguments of each linear operator.
_INPUT = {"aten::linear": 0, "aten::addmm": 1, "aten::matmul": 0}


class ScriptNetwork(Network):
    """A TorchScript module."""

    def __init__(self, module: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.module = module
        # One per device, because the weights are constants of the function.
        self._embedders: dict[str, Callable[[Tensor], Tensor]] = {}
        self._method: str | None = None

    def forward(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Any:
        """The outputs of the module."""
        return self.module(images, *labels, **named)

    def embed(self, images: Tensor) -> Tensor:
        """The input of the last linear operator, or the result of the named method."""
        if self._method is not None:
            embeddings: Tensor = getattr(self.module, self._method)(images)
            return embeddings
        device = str(images.device)
        if device not in self._embedders:
            self._embedders[device] = self._cut()[0]
        return self._embedders[device](images)

    def prepare_training(self) -> None:
        """Forget the functions of the graph, whose weights are constants."""
        self._embedders = {}
        super().prepare_training()

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Cut the graph before its last linear operator, or take the exported method ``name``."""
        if name is None:
            self._embedders[str(images.device)], self.layer = self._cut()
        elif not callable(getattr(self.module, name, None)):
            raise NoEmbedding(
                "TorchScript shows no layers, only the methods that it was exported with "
                "(torch.jit.export)"
            )
        else:
            self._method = self.layer = name

    def _cut(self) -> tuple[Callable[[Tensor], Tensor], str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frozen: Any = torch.jit.freeze(self.module)
        graph = frozen.inlined_graph.copy()
        output = next(iter(graph.outputs()))
        scores = scored_output(_unpacked(output), self.output)
        reached = _nodes_before((scores if isinstance(scores, torch.Value) else output).node())
        linear = [node for node in graph.nodes() if node.kind() in _INPUT and node in reached]
        if not linear:
            raise NoEmbedding("it has no linear operator")
        embeddings = list(linear[-1].inputs())[_INPUT[linear[-1].kind()]]
        for _ in list(graph.outputs()):
            graph.eraseOutput(0)
        graph.registerOutput(embeddings)
        # The first input is the module; freezing has turned its weights into constants.
        graph.eraseInput(0)
        layer = f"before the last {linear[-1].kind().removeprefix('aten::')}"
        return torch._C._create_function_from_graph("embed", graph), layer

    def __deepcopy__(self, memo: dict[int, Any]) -> ScriptNetwork:
        # A function of a graph cannot be copied, and nothing changes it.
        return self


def _unpacked(value: Any) -> Any:
    """A value of a graph; for a tuple or dictionary, a tuple or dictionary of its values."""
    kind, inputs = value.node().kind(), list(value.node().inputs())
    if kind in ("prim::TupleConstruct", "prim::ListConstruct"):
        return tuple(map(_unpacked, inputs))
    if kind == "prim::DictConstruct":
        keys = [key.toIValue() for key in inputs[::2]]
        return dict(zip(keys, map(_unpacked, inputs[1::2]), strict=True))
    return value


def _nodes_before(last: Any) -> list[Any]:
    """A node and all nodes that it depends on."""
    nodes, todo = [], [last]
    while todo:
        node = todo.pop()
        if node not in nodes:
            nodes.append(node)
            todo.extend(value.node() for value in node.inputs())
    return nodes


def read(source: Source, content: bytes) -> Network:
    """The module of a TorchScript file."""
    with warnings.catch_warnings():
        # The warning that TorchScript is deprecated does not help the owner of such a file.
        warnings.simplefilter("ignore")
        return ScriptNetwork(torch.jit.load(BytesIO(content), map_location="cpu").eval())

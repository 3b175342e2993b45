"""A .pt2 of ``torch.export.save``: a graph of PyTorch operators with its weights."""

from __future__ import annotations

import copy
import logging
from io import BytesIO
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass
from torch.fx import GraphModule, Interpreter, Node

from borderline.imported.network import Network, NoEmbedding, input_of_last_linear, no_such_layer
from borderline.imported.params import Source

_LINEAR = (
    torch.ops.aten.linear.default,
    torch.ops.aten.addmm.default,
    torch.ops.aten.mm.default,
    torch.ops.aten.matmul.default,
)


class ExportedNetwork(Network):
    """The graph of an exported program."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        self._program = program
        # One per device, because a graph names the device of the tensors that it makes. In a dict,
        # because an exported module refuses ``eval()``.
        self._graphs: dict[str, GraphModule] = {}

    def forward(self, images: Tensor) -> Any:
        """The outputs of the graph."""
        return self._graph(images.device)(images)

    def embed(self, images: Tensor) -> Tensor:
        """The value of the layer's node."""
        interpreter = _Recording(self._graph(images.device), self.layer)
        interpreter.run(images)
        assert interpreter.value is not None
        return interpreter.value

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """The input of the last linear operator, or the node of that name."""
        graph = self._graph(images.device).graph
        if name is None:
            node = input_of_last_linear(graph, lambda node: node.target in _LINEAR)
            if node is None:
                raise NoEmbedding("it has no linear operator after its first one")
            name = node.name
        known = [node.name for node in graph.nodes if node.op == "call_function"]
        if name not in known:
            raise no_such_layer(name, known)
        self.layer = name

    def count_weights(self) -> int:
        """The number of weights."""
        return sum(weight.numel() for weight in self._program.parameters())

    def _graph(self, device: torch.device) -> GraphModule:
        if str(device) not in self._graphs:
            moved = move_to_device_pass(copy.deepcopy(self._program), device)
            module: Any = moved.module()
            self._graphs[str(device)] = module.requires_grad_(False)
        return self._graphs[str(device)]


class _Recording(Interpreter):
    """Runs a graph and keeps the value of one node."""

    def __init__(self, module: GraphModule, name: str) -> None:
        super().__init__(module)
        self._name = name
        self.value: Tensor | None = None

    def run_node(self, n: Node) -> Any:
        value = super().run_node(n)
        if n.name == self._name:
            self.value = value
        return value


def read(source: Source, content: bytes) -> Network:
    """The program of a .pt2."""
    # For a damaged file PyTorch logs a traceback; the error message of read_network suffices.
    logging.getLogger("torch.export").setLevel(logging.CRITICAL)
    return ExportedNetwork(torch.export.load(BytesIO(content)))

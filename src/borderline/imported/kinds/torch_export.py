"""A .pt2 of ``torch.export.save``: a graph of PyTorch's operators with its weights."""

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

from borderline.imported.exported_archive import check_runs_no_code
from borderline.imported.fx_graphs import given_to_last_linear
from borderline.imported.network import Network, NoEmbedding, no_such_layer
from borderline.imported.params import Source

_LINEAR = (
    torch.ops.aten.linear.default,
    torch.ops.aten.addmm.default,
    torch.ops.aten.mm.default,
    torch.ops.aten.matmul.default,
)


class ExportedNetwork(Network):
    """The graph of an exported program.

    Args:
        program: The program.
    """

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        self._program = program
        # By device, for a graph names the one that it makes tensors on. A module of them would
        # refuse to be put into evaluation, as which it was exported.
        self._on: dict[str, GraphModule] = {}

    def forward(self, images: Tensor) -> Any:
        """What the graph gives."""
        return self._graph(images.device)(images)

    def embed(self, images: Tensor) -> Tensor:
        """The value of the layer's node."""
        watching = _Watching(self._graph(images.device), self.layer)
        watching.run(images)
        assert watching.seen is not None
        return watching.seen

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """What the last linear operator is given, or the node of that name."""
        graph = self._graph(images.device).graph
        if name is None:
            given = given_to_last_linear(graph, _is_linear)
            if given is None:
                raise NoEmbedding("it has no linear operator after its first one")
            name = given.name
        known = [node.name for node in graph.nodes if node.op == "call_function"]
        if name not in known:
            raise no_such_layer(name, known)
        self.layer = name

    def count_weights(self) -> int:
        """How many weights the program has."""
        return sum(weight.numel() for weight in self._program.parameters())

    def _graph(self, device: torch.device) -> GraphModule:
        if str(device) not in self._on:
            moved = move_to_device_pass(copy.deepcopy(self._program), device)
            module: Any = moved.module()
            self._on[str(device)] = module.requires_grad_(False)
        return self._on[str(device)]


class _Watching(Interpreter):
    """Runs a graph and keeps the value of one node."""

    def __init__(self, module: GraphModule, name: str) -> None:
        super().__init__(module)
        self._name = name
        self.seen: Tensor | None = None

    def run_node(self, n: Node) -> Any:
        value = super().run_node(n)
        if n.name == self._name:
            self.seen = value
        return value


def _is_linear(node: Node) -> bool:
    return node.op == "call_function" and node.target in _LINEAR


def read(source: Source, content: bytes) -> Network:
    """The program of a .pt2, looked through for code first unless it is trusted."""
    if not source.trust:
        check_runs_no_code(content, str(source.path))
    # What it logs of files that are none is said in our own sentence.
    logging.getLogger("torch.export").setLevel(logging.CRITICAL)
    return ExportedNetwork(torch.export.load(BytesIO(content)))

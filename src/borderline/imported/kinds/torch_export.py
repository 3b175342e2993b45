"""A .pt2 of ``torch.export.save``: a graph of PyTorch's operators with its weights."""

from __future__ import annotations

import difflib
import logging
from io import BytesIO
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from borderline.imported.exported_archive import check_runs_no_code
from borderline.imported.network import Network, NoEmbedding
from borderline.imported.params import Source

_LINEAR = {
    torch.ops.aten.linear.default: 0,
    torch.ops.aten.addmm.default: 1,
    torch.ops.aten.mm.default: 0,
    torch.ops.aten.matmul.default: 0,
}


class ExportedNetwork(Network):
    """The graph of an exported program.

    Args:
        module: The program's module.
    """

    def __init__(self, module: GraphModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        """What the graph gives."""
        outputs: Tensor = self.module(images)
        return outputs

    def embed(self, images: Tensor) -> Tensor:
        """The value of the layer's node."""
        watching = _Watching(self.module, self.layer)
        watching.run(images)
        assert watching.seen is not None
        return watching.seen

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """What the last linear operator is given, or the node of that name."""
        nodes = list(self.module.graph.nodes)
        if name is None:
            linear = [n for n in nodes if n.op == "call_function" and n.target in _LINEAR]
            if not linear:
                raise NoEmbedding("it has no linear operator")
            given: Any = linear[-1].args[_LINEAR[linear[-1].target]]
            name = given.name
        known = [n.name for n in nodes if n.op == "call_function"]
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise NoEmbedding(
                f"it has no such node{hint}; its last ones are {', '.join(known[-6:])}"
            )
        self.layer = str(name)

    def train(self, mode: bool = True) -> ExportedNetwork:
        """Nothing to do: the graph is as it was exported, and refuses to be asked."""
        return self


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


def read(source: Source, content: bytes) -> Network:
    """The program of a .pt2, looked through for code first unless it is trusted."""
    if not source.trust:
        check_runs_no_code(content, str(source.path))
    # What it logs of files that are none is said in our own sentence.
    logging.getLogger("torch.export").setLevel(logging.CRITICAL)
    module: Any = torch.export.load(BytesIO(content)).module()
    return ExportedNetwork(module)

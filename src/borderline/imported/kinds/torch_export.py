"""A .pt2 of ``torch.export.save``: a graph of PyTorch operators with its weights."""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass
from torch.fx import GraphModule, Interpreter, Node

from borderline.imported.network import (
    Network,
    NoEmbedding,
    in_fixed_batches,
    input_of_last_linear,
    no_such_layer,
)
from borderline.imported.params import Source

_LINEAR = (
    torch.ops.aten.linear.default,
    torch.ops.aten.addmm.default,
    torch.ops.aten.mm.default,
    torch.ops.aten.matmul.default,
)


class ExportedNetwork(Network):
    """The graph of an exported program."""

    _type = torch.float32

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content
        program = _program(content)
        # In a list, until the first device takes it.
        self._unmoved = [program]
        self._weights = sum(weight.numel() for weight in program.parameters()) or None
        value = _declared_input(program)
        if value is not None:
            self._type = value.dtype
            self.input_shape = tuple(
                number if isinstance(number, int) else None for number in value.shape
            )
        # One per device, because a graph names the device of the tensors that it makes. In a dict,
        # because an exported module refuses ``eval()``.
        self._graphs: dict[str, GraphModule] = {}
        # The weights to train, which the graphs of all devices share, and their names there.
        self._trained, self._names = nn.ParameterList(), list[str]()

    def forward(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Any:
        """The outputs of the graph."""
        return self._graph(images.device)(self._cast(images), *labels, **named)

    def outputs(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Tensor:
        """The class scores, also of more or fewer images than the graph takes at once."""
        return in_fixed_batches(super().outputs, images, self._batch, *labels, **named)

    def embed(self, images: Tensor) -> Tensor:
        """The value of the layer's node."""
        return in_fixed_batches(self._embed, self._cast(images), self._batch)

    def declared(self) -> dict[str, Any]:
        """The settings of ``input`` that the graph was traced with."""
        if self._type == torch.float32:
            return super().declared()
        kind = str(self._type).removeprefix("torch.")
        return super().declared() | {"dtype": kind if self._type.is_floating_point else "uint8"}

    def _cast(self, images: Tensor) -> Tensor:
        return images.to(self._type)

    def _embed(self, images: Tensor) -> Tensor:
        interpreter = _Recording(self._graph(images.device), self.layer)
        interpreter.run(images)
        assert interpreter.value is not None
        return interpreter.value

    @property
    def _batch(self) -> int | None:
        return None if self.input_shape is None else self.input_shape[0]

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """The input of the last linear operator, or the node of that name."""
        graph = self._graph(images.device).graph
        if name is None:
            node = input_of_last_linear(graph, lambda node: node.target in _LINEAR, self.output)
            if node is None:
                raise NoEmbedding("it has no linear operator after its first one")
            name = node.name
        known = [node.name for node in graph.nodes if node.op == "call_function"]
        if name not in known:
            raise no_such_layer(name, known)
        self.layer = name

    def prepare_training(self) -> None:
        """Make the weights of the graph parameters of this network."""
        # One that several layers share has several names.
        named = self._graph(torch.device("cpu")).named_parameters(remove_duplicate=False)
        weights = dict(named)
        self._names, self._trained = list(weights), nn.ParameterList(weights.values())
        super().prepare_training()

    def count_weights(self) -> int | None:
        """The number of weights; None where they are constants of the graph."""
        return self._weights

    def _graph(self, device: torch.device) -> GraphModule:
        if str(device) not in self._graphs:
            # Read again, because PyTorch cannot always move a copy of a program.
            program = self._unmoved.pop() if self._unmoved else _program(self._content)
            module: Any = move_to_device_pass(program, device).module()
            self._graphs[str(device)] = module.requires_grad_(False)
        graph = self._graphs[str(device)]
        # Each time, because a move to another device can replace the parameters.
        for name, weight in zip(self._names, self._trained, strict=True):
            owner, _, last = name.rpartition(".")
            setattr(graph.get_submodule(owner), last, weight)
        return graph


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
    return ExportedNetwork(content)


def _program(content: bytes) -> ExportedProgram:
    return torch.export.load(BytesIO(content))


def _declared_input(program: ExportedProgram) -> Tensor | None:
    """A placeholder of the first input, with its shape and type; None where it is no tensor."""
    inputs = program.graph_signature.user_inputs[:1]
    nodes = [node for node in program.graph.nodes if node.op == "placeholder"]
    values = [node.meta.get("val") for node in nodes if node.name in inputs]
    return values[0] if values and isinstance(values[0], Tensor) else None

"""The interface of an imported network of any kind: images to outputs and embeddings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.fx import Graph, Node

from borderline.errors import did_you_mean

_SHOWN = 6


class NoEmbedding(ValueError):
    """The network has no layer to embed with, or none of that name; no full stop at its end."""


class Network(nn.Module, ABC):
    """The network that a kind's ``read`` returns.

    Attributes:
        layer: The name of the embedding layer, set by ``find_layer``.
    """

    layer: str = ""

    @abstractmethod
    def forward(self, images: Tensor) -> Any:
        """Prepared images (N, ...) to the outputs of the network."""

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Prepared images (N, ...) to the output of ``layer``, shape (N, ...)."""

    @abstractmethod
    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Find the embedding layer; without a name, the input of the last linear layer.

        Raises:
            NoEmbedding: When there is none.
        """

    def count_weights(self) -> int:
        """The number of weights."""
        return sum(weight.numel() for weight in self.parameters())


def no_such_layer(name: str, known: list[str]) -> NoEmbedding:
    """The error for an unknown layer name, among all names in order."""
    hint = did_you_mean(name, known)
    return NoEmbedding(
        f"it has no such layer{hint}; its last ones are {', '.join(known[-_SHOWN:])}"
    )


def scored_output(outputs: Any) -> Any:
    """The class scores among the outputs of a network, or among the nodes that make them.

    They are the first item of a sequence, and ``logits`` of a mapping or object, as in models of
    Hugging Face.
    """
    if isinstance(outputs, tuple | list) and outputs:
        outputs = outputs[0]
    if isinstance(outputs, Mapping):
        outputs = outputs.get("logits", outputs)
    return getattr(outputs, "logits", outputs)


def outputs_of(outputs: Any) -> Tensor:
    """The tensor of class scores among the outputs of a network.

    Raises:
        TypeError: When there is no such tensor.
    """
    scores = scored_output(outputs)
    if not isinstance(scores, Tensor):
        names = f" with {', '.join(map(str, scores))}" if isinstance(scores, Mapping) else ""
        raise TypeError(f"it gives a {type(scores).__name__}{names}, and no tensor or logits")
    return scores


def input_of_last_linear(graph: Graph, is_linear: Callable[[Node], bool]) -> Node | None:
    """The input of the last linear layer on a traced graph's way to the outputs, if any."""
    output = next(node for node in graph.nodes if node.op == "output")
    # An export lists its outputs in a tuple, also if the module returns a dictionary.
    scores = scored_output(graph.process_outputs(output.args[0]))
    reached: set[Node] = set()
    todo = [scores] if isinstance(scores, Node) else list(output.all_input_nodes)
    while todo:
        node = todo.pop()
        if node not in reached:
            reached.add(node)
            todo.extend(node.all_input_nodes)
    linear = [node for node in graph.nodes if node in reached and is_linear(node)]
    if not linear:
        return None
    # Weights are inputs of the graph, not computed values.
    return next((node for node in linear[-1].all_input_nodes if node.op.startswith("call")), None)

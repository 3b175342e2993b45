"""The interface of an imported network of any kind: images to outputs and embeddings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node

from borderline.errors import did_you_mean
from borderline.imported.declared import settings_of_shape

_SHOWN = 6


class NoEmbedding(ValueError):
    """The network has no layer to embed with, or none of that name; no full stop at its end."""


class NoScores(TypeError):
    """The outputs of the network hold no class scores; no full stop at its end."""


class Network(nn.Module, ABC):
    """The network that a kind's ``read`` returns.

    Attributes:
        layer: The name of the embedding layer, set by ``find_layer``.
        output: The output that holds the class scores, by name or position; None for the usual one.
        input_shape: The shape of the input that the file declares, with the batch; None for a
            number that it leaves open, and in place of the shape where it declares none.
        usual: The names that the wanted output may have in a mapping or an object.
        latent_shape: Of a generator whose file declares it: the shape of a latent; None for others.
        classes: Of such a generator: the number of classes that it takes labels of.
        passes_per_image: Passes of the network for an output.
    """

    layer: str = ""
    output: str | int | None = None
    input_shape: tuple[int | None, ...] | None = None
    usual: tuple[str, ...] = ("logits",)
    latent_shape: tuple[int, ...] | None = None
    classes: int | None = None
    passes_per_image: int = 1

    @abstractmethod
    def forward(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Any:
        """Prepared images (N, ...) to the outputs of the network.

        A generator takes latents in their place, and may take labels (N,) after them.
        """

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Prepared images (N, ...) to the output of ``layer``, shape (N, ...)."""

    @abstractmethod
    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Find the embedding layer; without a name, the input of the last linear layer.

        Raises:
            NoEmbedding: When there is none.
        """

    def outputs(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Tensor:
        """Prepared images (N, ...) to the tensor of class scores among the outputs.

        Raises:
            NoScores: When there is no such tensor.
        """
        return outputs_of(self(images, *labels, **named), self.output, self.usual)

    def declared(self) -> dict[str, Any]:
        """The settings of ``input`` that the file itself declares; empty where it declares none."""
        return {} if self.input_shape is None else settings_of_shape(self.input_shape)

    def prepare_training(self) -> None:
        """Make all weights parameters of this network that gradients reach and no other one shares.

        A network that shows no weights stays without parameters.
        """
        for weight in self.parameters():
            weight.requires_grad_(weight.is_floating_point())

    def count_weights(self) -> int | None:
        """The number of weights; None where it is unknown."""
        return sum(weight.numel() for weight in self.parameters()) or None


def no_such_layer(name: str, known: list[str]) -> NoEmbedding:
    """The error for an unknown layer name, among all names in order."""
    hint = did_you_mean(name, known)
    return NoEmbedding(
        f"it has no such layer{hint}; its last ones are {', '.join(known[-_SHOWN:])}"
    )


def scored_output(
    outputs: Any, output: str | int | None = None, usual: tuple[str, ...] = ("logits",)
) -> Any:
    """The class scores among the outputs of a network, or among the nodes that make them.

    By default they are the first item of a sequence, and ``logits`` of a mapping or object, as in
    models of Hugging Face.

    Args:
        outputs: What the network returns.
        output: Their name or position.
        usual: The names of the scores in a mapping or object, the first one first.

    Raises:
        NoScores: When nothing has that name or position.
    """
    if output is not None:
        return _named_output(outputs, output)
    if isinstance(outputs, tuple | list) and outputs and not _has_any(outputs, usual):
        outputs = outputs[0]
    for name in usual:
        if isinstance(outputs, Mapping):
            outputs = outputs.get(name, outputs)
        outputs = getattr(outputs, name, outputs)
    return outputs


def _has_any(outputs: Any, names: tuple[str, ...]) -> bool:
    return any(hasattr(outputs, name) for name in names)


def _named_output(outputs: Any, output: str | int) -> Any:
    if isinstance(outputs, tuple | list) and str(output).isdecimal():
        output = int(output)
    if isinstance(output, int):
        values = list(outputs.values()) if isinstance(outputs, Mapping) else outputs
        if isinstance(values, tuple | list) and 0 <= output < len(values):
            return values[output]
    elif isinstance(outputs, Mapping) and output in outputs:
        return outputs[output]
    elif hasattr(outputs, output):
        return getattr(outputs, output)
    raise NoScores(f"it gives a {_kind(outputs)}, and source.output {output!r} is not in it")


def _kind(outputs: Any) -> str:
    if isinstance(outputs, Mapping):
        return f"dict with {', '.join(map(str, outputs))}"
    return type(outputs).__name__


def outputs_of(
    outputs: Any, output: str | int | None = None, usual: tuple[str, ...] = ("logits",)
) -> Tensor:
    """The tensor of class scores among the outputs of a network.

    Args:
        outputs: What the network returns.
        output: Their name or position; see :func:`scored_output`.
        usual: The names of the scores in a mapping or object.

    Raises:
        NoScores: When there is no such tensor.
    """
    scores = scored_output(outputs, output, usual)
    if isinstance(scores, Tensor):
        return scores
    hint = " (source.output can name another one)" if isinstance(scores, Mapping) else ""
    kind = "None" if scores is None else _kind(scores)
    raise NoScores(f"it gives a {kind}, and no tensor or {' or '.join(usual)}{hint}")


def floating(scores: Tensor) -> Tensor:
    """Class scores as float32; shapes such as (N, K, 1, 1) become (N, K).

    Raises:
        NoScores: When they are integers or truth values, which are labels and no scores.
    """
    if not scores.is_floating_point():
        kind = str(scores.dtype).removeprefix("torch.")
        raise NoScores(
            f"it gives a tensor of type {kind}, which holds labels, and no probabilities or logits"
        )
    if scores.dim() > 2 and max(scores.shape[1:]) == scores.shape[1:].numel():
        scores = scores.flatten(1)
    return scores.float()


def in_fixed_batches(
    function: Callable[..., Tensor],
    images: Tensor,
    size: int | None,
    *labels: Tensor,
    **named: Tensor,
) -> Tensor:
    """Apply a function that takes batches of one size only to images (N, ...), N above 0.

    The last batch is filled with copies of the last image, whose results are dropped.

    Args:
        function: Images (``size``, ...), and labels (``size``,) if any, to results (``size``, ...).
        images: The images.
        size: The number of images in a batch; None for any.
        labels: A label for each image, by position.
        named: The same by keyword.
    """
    if size is None or len(images) == size:
        return function(images, *labels, **named)
    results = []
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        first, *rest = (_filled(values[rows], size) for values in (images, *labels))
        by_name = {name: _filled(values[rows], size) for name, values in named.items()}
        results.append(function(first, *rest, **by_name)[: len(images[rows])])
    return torch.cat(results)


def _filled(batch: Tensor, size: int) -> Tensor:
    copies = batch[-1:].expand(size - len(batch), *batch.shape[1:])
    return torch.cat([batch, copies])


def input_of_last_linear(
    graph: Graph, is_linear: Callable[[Node], bool], name: str | int | None = None
) -> Node | None:
    """The input of the last linear layer on a traced graph's way to the outputs, if any."""
    output = next(node for node in graph.nodes if node.op == "output")
    # An export lists its outputs in a tuple, also if the module returns a dictionary.
    scores = scored_output(graph.process_outputs(output.args[0]), name)
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

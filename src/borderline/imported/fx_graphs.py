"""What the two kinds of graphs that PyTorch traces have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch.fx import Graph, Node


def given_to_last_linear(graph: Graph, is_linear: Callable[[Node], bool]) -> Node | None:
    """What the last linear layer is given, of those that the first output depends on.

    Args:
        graph: The graph.
        is_linear: Tells linear layers, whose first input is what they are given, or the one before
            their weights.

    Returns:
        The node; None where there is no such layer.
    """
    output = next(node for node in graph.nodes if node.op == "output")
    reached: set[Node] = set()
    todo = _first(output.args[0])
    while todo:
        node = todo.pop()
        if node not in reached:
            reached.add(node)
            todo.extend(node.all_input_nodes)
    linear = [node for node in graph.nodes if node in reached and is_linear(node)]
    # A weight is a parameter of the graph, and no result of anything.
    given = (
        [own for own in linear[-1].all_input_nodes if own.op.startswith("call")] if linear else []
    )
    return given[0] if given else None


def _first(found: Any) -> list[Node]:
    """The node of the outputs, as ``outputs_of`` chooses them."""
    while isinstance(found, tuple | list) and found:
        found = found[0]
    if isinstance(found, Mapping):
        found = found.get("logits", next(iter(found.values()), None))
    return [found] if isinstance(found, Node) else []

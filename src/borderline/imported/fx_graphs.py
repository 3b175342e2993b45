"""What the two kinds of graphs that PyTorch traces have in common."""

from __future__ import annotations

from collections.abc import Callable

from torch.fx import Graph, Node

from borderline.imported.network import the_one_that_counts


def given_to_last_linear(graph: Graph, is_linear: Callable[[Node], bool]) -> Node | None:
    """What the last linear layer is given, of those that the outputs depend on.

    Args:
        graph: The graph.
        is_linear: Tells linear layers, whose first input is what they are given, or the one before
            their weights.

    Returns:
        The node; None where there is no such layer.
    """
    output = next(node for node in graph.nodes if node.op == "output")
    # The outputs of an export are in a row, whatever the module gave.
    found = the_one_that_counts(graph.process_outputs(output.args[0]))
    reached: set[Node] = set()
    todo = [found] if isinstance(found, Node) else list(output.all_input_nodes)
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

"""The embedding node in a graph that PyTorch traced."""

from __future__ import annotations

from collections.abc import Callable

from torch.fx import Graph, Node

from borderline.imported.network import scored_output


def input_of_last_linear(graph: Graph, is_linear: Callable[[Node], bool]) -> Node | None:
    """The input of the last linear layer on the way to the outputs; None if there is none.

    Args:
        graph: The graph.
        is_linear: Recognises linear layers, whose input is the first computed value among their
            arguments.
    """
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

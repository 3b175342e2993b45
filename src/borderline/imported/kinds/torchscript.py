"""TorchScript, run by PyTorch's own interpreter."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.archives import read_archive
from borderline.imported.network import Network, NoEmbedding, the_one_that_counts
from borderline.imported.params import Source

# Where each operator has the images of a linear layer.
_GIVEN = {"aten::linear": 0, "aten::addmm": 1, "aten::matmul": 0}
# Operators that write or read files, and any that are not PyTorch's own.
_HARMFUL = re.compile(
    r"\b(from_file|save|load|_load_for_lite_interpreter)\s*\(|\bops\.(?!aten\b|prim\b)"
)


class ScriptNetwork(Network):
    """A module of TorchScript.

    Args:
        module: The module, in evaluation mode.
    """

    def __init__(self, module: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.module = module
        # By device, for the weights are constants in there.
        self._embed_on: dict[str, Callable[[Tensor], Tensor]] = {}
        self._method: str | None = None

    def forward(self, images: Tensor) -> Any:
        """What the module gives."""
        return self.module(images)

    def embed(self, images: Tensor) -> Tensor:
        """What the last linear operator is given, or what the module's own method gives."""
        if self._method is not None:
            found: Tensor = getattr(self.module, self._method)(images)
            return found
        device = str(images.device)
        if device not in self._embed_on:
            self._embed_on[device] = self._cut()[0]
        return self._embed_on[device](images)

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Cut the graph at its last linear operator; or take the exported method of that name."""
        if name is None:
            self._embed_on[str(images.device)], self.layer = self._cut()
        elif not callable(getattr(self.module, name, None)):
            raise NoEmbedding(
                "of TorchScript a layer cannot be named, only a method that it was exported with "
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
        counts = the_one_that_counts(_made_of(output))
        reached = _reached((counts if isinstance(counts, torch.Value) else output).node())
        linear = [node for node in graph.nodes() if node.kind() in _GIVEN and node in reached]
        if not linear:
            raise NoEmbedding("it has no linear operator")
        given = list(linear[-1].inputs())[_GIVEN[linear[-1].kind()]]
        for _ in list(graph.outputs()):
            graph.eraseOutput(0)
        graph.registerOutput(given)
        # Its first input is the module, whose weights freezing has made constants.
        graph.eraseInput(0)
        layer = f"before the last {linear[-1].kind().removeprefix('aten::')}"
        return torch._C._create_function_from_graph("embed", graph), layer

    def __deepcopy__(self, memo: dict[int, Any]) -> ScriptNetwork:
        # Functions of a graph cannot be copied, and nothing changes one.
        return self


def _made_of(value: Any) -> Any:
    """A value of a graph, or a tuple or dictionary of the values that it is made of."""
    kind, inputs = value.node().kind(), list(value.node().inputs())
    if kind in ("prim::TupleConstruct", "prim::ListConstruct"):
        return tuple(map(_made_of, inputs))
    if kind == "prim::DictConstruct":
        keys = [key.toIValue() for key in inputs[::2]]
        return dict(zip(keys, map(_made_of, inputs[1::2]), strict=True))
    return value


def _reached(last: Any) -> list[Any]:
    """The nodes that a node depends on, and itself."""
    found, todo = [], [last]
    while todo:
        node = todo.pop()
        if node not in found:
            found.append(node)
            todo.extend(value.node() for value in node.inputs())
    return found


def read(source: Source, content: bytes) -> Network:
    """The module of a TorchScript file, which holds no Python.

    Its code may call PyTorch's operators, some of which write files: without trust, none of these.
    """
    if not source.trust:
        parts = read_archive(content, str(source.path), "TorchScript file of torch.jit.save")
        code = (
            part.decode("utf-8", "replace") for name, part in parts.items() if name.endswith(".py")
        )
        harmful = next(filter(None, map(_HARMFUL.search, code)), None)
        if harmful is not None:
            raise BorderlineError(
                f"path is {source.path!r}, whose code calls {harmful[0].rstrip('( ')!r}, which "
                "could write files or run other code, so it was not read: set trust to true if the "
                "file is your own."
            )
    with warnings.catch_warnings():
        # That TorchScript is deprecated is no news to those who have such a file.
        warnings.simplefilter("ignore")
        return ScriptNetwork(torch.jit.load(BytesIO(content), map_location="cpu").eval())

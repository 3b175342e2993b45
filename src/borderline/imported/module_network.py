"""A network that is a PyTorch module, whose layers are visible."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.feature_extraction import NodePathTracer, create_feature_extractor

from borderline.imported.network import Network, NoEmbedding, input_of_last_linear, no_such_layer

_LAYER = "embedding"


class ModuleNetwork(Network):
    """A module whose layers torchvision's feature extraction finds.

    A module that cannot be traced, because its control flow depends on the images, is observed by
    forward hooks.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        # In lists, because they share their weights with the module.
        self._extractor: list[nn.Module] = []
        self._traced = False
        self._hooked: list[tuple[nn.Module, bool]] = []

    def forward(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Any:
        """The outputs of the module."""
        return self.module(images, *labels, **named)

    def embed(self, images: Tensor) -> Tensor:
        """The output of the layer."""
        if self._traced:
            if not self._extractor:
                # Only now: it is slow to make, and most nodes take no embeddings.
                with torch.inference_mode(False):
                    extractor = create_feature_extractor(self.module, {self.layer: _LAYER})
                self._extractor = [extractor.eval()]
            # Its buffers are copies, which do not move with the module.
            features: Tensor = self._extractor[0].to(images.device)(images)[_LAYER]
            return features
        return _hooked_value(self.module, *self._hooked[0], images)

    def prepare_training(self) -> None:
        """Copy the module first, because a factory may give the same one to all callers."""
        self.module, self._hooked = copy.deepcopy((self.module, self._hooked))
        self._extractor = []
        super().prepare_training()

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """The input of the last linear layer, or a node of the traced graph, or a submodule."""
        try:
            tracer = NodePathTracer()
            graph = tracer.trace(self.module)
        except Exception:
            self._find_module(name, images)
            return
        names = dict(tracer.node_to_qualname)
        if name is None:
            node = input_of_last_linear(graph, self._is_linear, self.output)
            if node is None:
                raise NoEmbedding("it has no linear layer after its first one")
            name = names[node]
        elif name not in names.values():
            raise no_such_layer(name, list(names.values()))
        self._traced, self.layer = True, name

    def _is_linear(self, node: torch.fx.Node) -> bool:
        if node.op == "call_module":
            return isinstance(self.module.get_submodule(str(node.target)), nn.Linear)
        return node.op == "call_function" and node.target is F.linear

    def _find_module(self, name: str | None, images: Tensor) -> None:
        modules = dict(self.module.named_modules())
        if name is not None:
            if name not in modules:
                raise no_such_layer(name, list(modules))
            self._hooked, self.layer = [(modules[name], False)], name
            return
        called: list[str] = []
        linear = {module: path for path, module in modules.items() if isinstance(module, nn.Linear)}
        with torch.no_grad(), ExitStack() as hooks:
            for module in linear:
                hook = module.register_forward_hook(lambda m, *_: called.append(linear[m]))
                hooks.enter_context(hook)
            self.module(images)
        if not called:
            raise NoEmbedding("it has no linear layer")
        self._hooked = [(modules[called[-1]], True)]
        self.layer = f"before {called[-1]}"


def _hooked_value(module: nn.Module, layer: nn.Module, before: bool, images: Tensor) -> Tensor:
    """The input (``before``) or the output of a layer while the module runs."""
    values: list[Tensor] = []
    with layer.register_forward_hook(
        lambda _, inputs, output: values.append(inputs[0] if before else output)
    ):
        module(images)
    return values[-1]

"""A network that is a module of PyTorch's, with all of its layers to look into."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.feature_extraction import NodePathTracer, create_feature_extractor

from borderline.imported.fx_graphs import given_to_last_linear
from borderline.imported.network import Network, NoEmbedding, no_such_layer

_LAYER = "embedding"


class ModuleNetwork(Network):
    """A module whose layers are found by torchvision's feature extraction.

    Modules that cannot be traced, whose way depends on the images, are watched on their way.

    Args:
        module: The module, in evaluation mode.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        # Not modules of this one: they have the same weights.
        self._extractor: list[nn.Module] = []
        self._watched: list[tuple[nn.Module, bool]] = []

    def forward(self, images: Tensor) -> Tensor:
        """What the module gives."""
        outputs: Tensor = self.module(images)
        return outputs

    def embed(self, images: Tensor) -> Tensor:
        """The output of the layer."""
        if self._extractor:
            # It has the buffers of the module as copies of its own.
            found: Tensor = self._extractor[0].to(images.device)(images)[_LAYER]
            return found
        return _watch(self.module, *self._watched[0], images)

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """What the last linear layer is given, or a node of the traced graph, or a module."""
        try:
            tracer = NodePathTracer()
            graph = tracer.trace(self.module)
        except Exception:
            self._find_module(name, images)
            return
        called = dict(tracer.node_to_qualname)
        if name is None:
            given = given_to_last_linear(graph, self._is_linear)
            if given is None:
                raise NoEmbedding("it has no linear layer after its first one")
            name = called[given]
        elif name not in called.values():
            raise no_such_layer(name, list(called.values()))
        extractor = create_feature_extractor(self.module, {name: _LAYER})
        self._extractor, self.layer = [extractor.eval()], name

    def _is_linear(self, node: torch.fx.Node) -> bool:
        if node.op == "call_module":
            return isinstance(self.module.get_submodule(str(node.target)), nn.Linear)
        return node.op == "call_function" and node.target is F.linear

    def _find_module(self, name: str | None, images: Tensor) -> None:
        modules = dict(self.module.named_modules())
        if name is not None:
            if name not in modules:
                raise no_such_layer(name, list(modules))
            self._watched, self.layer = [(modules[name], False)], name
            return
        passed: list[str] = []
        linear = {own: path for path, own in modules.items() if isinstance(own, nn.Linear)}
        hooks = [
            own.register_forward_hook(lambda own, *_: passed.append(linear[own])) for own in linear
        ]
        try:
            with torch.no_grad():
                self.module(images)
        finally:
            for hook in hooks:
                hook.remove()
        if not passed:
            raise NoEmbedding("it has no linear layer")
        self._watched = [(modules[passed[-1]], True)]
        self.layer = f"before {passed[-1]}"


def _watch(module: nn.Module, watched: nn.Module, before: bool, images: Tensor) -> Tensor:
    """What a layer is given, or gives, while the module looks at images."""
    seen: list[Tensor] = []
    hook = watched.register_forward_hook(
        lambda own, inputs, output: seen.append(inputs[0] if before else output)
    )
    try:
        module(images)
    finally:
        hook.remove()
    return seen[-1]

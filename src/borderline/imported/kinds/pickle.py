"""A module of ``torch.save(model)``: a pickle, which runs code when it is read."""

from __future__ import annotations

from io import BytesIO

import torch
from torch import nn

from borderline.errors import BorderlineError
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.network import Network
from borderline.imported.params import Source


def read(source: Source, content: bytes) -> Network:
    """The module in the file."""
    module = torch.load(BytesIO(content), map_location="cpu", weights_only=False)
    if not isinstance(module, nn.Module):
        raise BorderlineError(
            f"path is {source.path!r}, which holds a {type(module).__name__} and no module: save "
            "the whole model, or set kind to 'state_dict'."
        )
    return ModuleNetwork(module.eval())

"""A state dictionary, loaded into a new instance of its class."""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import Any

import torch
from safetensors.torch import load
from torch import nn

from borderline.errors import BorderlineError
from borderline.imported.import_path import make_object
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.network import Network
from borderline.imported.params import NO_CODE, Source

# Keys of checkpoints that hold the weights, and the prefix that DataParallel adds to names.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PARALLEL = "module."


def read(source: Source, content: bytes) -> Network:
    """A new instance of the class with the weights of a ``torch.save`` or safetensors file."""
    module = make_object(source)
    if not isinstance(module, nn.Module):
        raise BorderlineError(
            f"import_path is {source.import_path!r}, which makes a {type(module).__name__} "
            "and no torch.nn.Module: name the class of the model."
        )
    try:
        module.load_state_dict(_weights(source, content))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        reason = reason.partition(": ")[2] or reason
        raise BorderlineError(
            f"path is {source.path!r}, whose weights do not fit {source.import_path} with "
            f"arguments {source.arguments} ({reason[:200]}): correct arguments, or name another "
            "file."
        ) from error
    return ModuleNetwork(module.eval())


def _weights(source: Source, content: bytes) -> dict[str, Any]:
    if str(source.path).endswith(".safetensors"):
        return load(content)
    try:
        weights = torch.load(BytesIO(content), map_location="cpu", weights_only=not source.trust)
    except pickle.UnpicklingError as error:
        raise BorderlineError(
            f"trust is False, but {source.path!r} holds more than weights and can run code on "
            "your machine when it is read: set it to true (new-case: --trust) if you trust the "
            f"author of the file, or {NO_CODE}."
        ) from error
    for name in _WRAPPERS:
        if isinstance(weights, dict) and isinstance(weights.get(name), dict):
            weights = weights[name]
    if isinstance(weights, dict) and all(str(name).startswith(_PARALLEL) for name in weights):
        weights = {name.removeprefix(_PARALLEL): value for name, value in weights.items()}
    if not isinstance(weights, dict):
        raise BorderlineError(
            f"path is {source.path!r}, which holds a {type(weights).__name__} and no state "
            "dictionary: save model.state_dict()."
        )
    return weights

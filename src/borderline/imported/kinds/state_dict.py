"""A state dictionary, and the class that it belongs to."""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import Any

import torch
from safetensors.torch import load
from torch import nn

from borderline.errors import BorderlineError
from borderline.imported.import_path import made
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.network import Network
from borderline.imported.params import Source

# What trainings save beside them, and what DataParallel puts before them.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PARALLEL = "module."


def read(source: Source, content: bytes) -> Network:
    """The class, made anew, with the weights of the file: of ``torch.save`` or of safetensors."""
    module = made(source)
    if not isinstance(module, nn.Module):
        raise BorderlineError(
            f"import_path is {source.import_path!r}, which gives a {type(module).__name__}, but a "
            "torch.nn.Module is needed: name its class."
        )
    try:
        module.load_state_dict(_weights(source, content))
    except RuntimeError as error:
        said = " ".join(str(error).split())
        said = said.partition(": ")[2] or said
        raise BorderlineError(
            f"path is {source.path!r}, whose weights do not fit {source.import_path} with "
            f"arguments {source.arguments} ({said[:200]}): correct arguments, or name another file."
        ) from error
    return ModuleNetwork(module.eval())


def _weights(source: Source, content: bytes) -> dict[str, Any]:
    if str(source.path).endswith(".safetensors"):
        return load(content)
    try:
        weights = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BorderlineError(
            f"path is {source.path!r}, which holds more than weights and would run code, so it was "
            "not read: save model.state_dict() alone."
        ) from error
    for name in _WRAPPERS:
        if isinstance(weights, dict) and isinstance(weights.get(name), dict):
            weights = weights[name]
    if isinstance(weights, dict) and all(str(name).startswith(_PARALLEL) for name in weights):
        weights = {name.removeprefix(_PARALLEL): own for name, own in weights.items()}
    if not isinstance(weights, dict):
        raise BorderlineError(
            f"path is {source.path!r}, which holds a {type(weights).__name__} and no state "
            "dictionary: save model.state_dict()."
        )
    return weights

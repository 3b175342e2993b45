"""A state dictionary, loaded into a new instance of its class."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.imported.checkpoints import chosen, is_index, read_checkpoint, weight_sets
from borderline.imported.import_path import make_object
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.network import Network
from borderline.imported.params import NO_CODE, Source

_OF_TORCH = (b"PK", b"\x80")  # an archive, or a pickle in the older format
_SHARD = re.compile(r"-\d{5}-of-\d{5}")
_ONE_FILE = "save the model into one file (model.save_pretrained(..., max_shard_size='100GB'))"


def read(source: Source, content: bytes) -> Network:
    """A new instance of the class with the weights of a ``torch.save`` or safetensors file."""
    module = make_object(source)
    if not isinstance(module, nn.Module):
        raise BorderlineError(
            f"import_path is {source.import_path!r}, which makes a {type(module).__name__} "
            "and no torch.nn.Module: name the class of the model."
        )
    weights = _weights(source, content, module)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        reason = reason.partition(": ")[2] or reason
        raise BorderlineError(
            f"path is {source.path!r}, whose weights do not fit {source.import_path} with "
            f"arguments {source.arguments} ({reason[:200]}): correct arguments, or "
            f"{_ONE_FILE if _is_shard(source) else 'name another file'}."
        ) from error
    return ModuleNetwork(module.eval())


def _weights(source: Source, content: bytes, module: nn.Module) -> Mapping[str, Tensor]:
    if is_index(content):
        raise BorderlineError(
            f"path is {source.path!r}, which is the index of weights that stand in several files: "
            f"{_ONE_FILE}."
        )
    checkpoint = _checkpoint(source, content)
    sets = weight_sets(checkpoint)
    if not sets:
        raise BorderlineError(
            f"path is {source.path!r}, which holds a {type(checkpoint).__name__} and no state "
            "dictionary: save model.state_dict()."
        )
    own = module.state_dict()
    weights = chosen(sets, own, source.key).weights
    if getattr(weights, "_metadata", None) is None and weights.keys() == own.keys():
        # safetensors keeps no versions of modules, which some modules need.
        weights = type(own)(weights)
        weights._metadata = own._metadata  # type: ignore[attr-defined]
    return weights


def _checkpoint(source: Source, content: bytes) -> Any:
    try:
        return read_checkpoint(content, trust=source.trust)
    except Exception as error:
        if not isinstance(error, pickle.UnpicklingError) or not content.startswith(_OF_TORCH):
            raise BorderlineError(
                f"path is {source.path!r}, which is no complete file of torch.save or safetensors "
                f"({str(error)[:80].partition('.')[0]}): replace it with a sound copy."
            ) from error
        raise BorderlineError(
            f"trust is False, but {source.path!r} holds more than weights and can run code on "
            "your machine when it is read: set it to true (new-case: --trust) if you trust the "
            f"author of the file, or {NO_CODE}."
        ) from error


def _is_shard(source: Source) -> bool:
    return _SHARD.search(str(source.path)) is not None

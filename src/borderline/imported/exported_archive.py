"""Looks through a .pt2 before PyTorch reads it, which would run code that the file brings along.

``torch.export.load`` unpickles weights, constants and sample inputs without restriction, evaluates
expressions of sizes as Python, imports what the specifications of its inputs name, and calls
whatever the graph names below ``torch``. Only a file all of whose parts are known to be harmless is
read without being trusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import torch

from borderline.errors import BorderlineError
from borderline.imported.archives import read_archive

_OPERATOR = re.compile(r"torch\.ops\.(?P<space>aten|prims)\.(?P<name>(?!__)\w+)\.(?P<overload>\w+)")
# They reach files.
_HARMFUL = ("from_file", "save")
_FUNCTION = re.compile(
    r"_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|eq|ne|lt|le|gt|ge)"
    r"|torch\.sym_(int|float|max|min|not)|torch\._C\._set_grad_enabled"
)
# The sizes: numbers, symbols, and sums and products of them.
_EXPRESSION = re.compile(
    r"(Symbol\('\w+'(, (positive|integer|nonnegative)=(True|False))*\)"
    r"|Add|Mul|Pow|Mod|Max|Min|FloorDiv|Integer|Rational|Float|Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not"
    r"|True|False|[su]\d+|\d+(\.\d+)?|[-+*/()=<>!, ])*"
)
_NAME = re.compile(r"[\w.+-]*")
# What PyTorch never puts into code.
_FREE = ("metadata",)
_TREES = ("in_spec", "out_spec")
_PLAIN_TREES = (None, "builtins.tuple", "builtins.list", "builtins.dict")
_CONFIG = re.compile(r"data/(weights|constants)/\w+_config\.json")
_KNOWN = re.compile(
    r"models/\w+\.json|data/(weights|constants)/(\w+_config\.json|(weight|tensor)_\d+)"
    r"|data/sample_inputs/\w+\.pt|archive_format|archive_version|byteorder|\.data/\w+"
)


def check_runs_no_code(content: bytes, path: str) -> None:
    """Make sure that reading a .pt2 runs no code of its author's.

    Args:
        content: The file.
        path: Where it is, for the message.

    Raises:
        BorderlineError: When it might.
    """
    parts = read_archive(content, path, ".pt2 of torch.export.save")
    try:
        doubt = next(_doubts(parts), None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BorderlineError(
            f"path is {path!r}, which is no .pt2 of torch.export.save: name another file, or the "
            "kind that it is of."
        ) from error
    if doubt is not None:
        raise BorderlineError(
            f"path is {path!r}, whose {doubt} could run code of its author's, so it was not read: "
            "set trust to true if the file is your own, or export the model with a current PyTorch."
        )


def _doubts(parts: dict[str, bytes]) -> Iterator[str]:
    for name, content in parts.items():
        if not _KNOWN.fullmatch(name):
            yield f"part {name!r}"
        elif name.startswith("models/"):
            yield from _doubts_of_graph(json.loads(content))
        elif _CONFIG.fullmatch(name):
            for entry in json.loads(content)["config"].values():
                if entry.get("use_pickle") and not _is_harmless(
                    parts[f"{name.rpartition('/')[0]}/{entry['path_name']}"]
                ):
                    yield f"weight {entry['path_name']!r}"
        elif name.startswith("data/sample_inputs/") and not _is_harmless(content):
            yield "sample inputs"


def _is_harmless(pickled: bytes) -> bool:
    try:
        if pickled:
            torch.load(BytesIO(pickled), map_location="cpu", weights_only=True)
    except Exception:
        return False
    return True


def _doubts_of_graph(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, own in value.items():
            if not _NAME.fullmatch(name):
                yield f"name {name[:80]!r}"
            elif name not in _FREE:
                yield from _doubts_of_graph(own, name)
    elif isinstance(value, list):
        for own in value:
            yield from _doubts_of_graph(own, key)
    elif isinstance(value, str) and not _is_plain(key, value):
        yield f"{key} {value[:80]!r}"


def _is_plain(key: str, value: str) -> bool:
    if key == "target":
        return _is_known_operator(value)
    if key in _TREES:
        version, tree = json.loads(value)
        return isinstance(version, int) and _is_plain_tree(tree)
    if key == "guards_code":
        return False
    return (_EXPRESSION if key == "expr_str" else _NAME).fullmatch(value) is not None


def _is_known_operator(target: str) -> bool:
    named = _OPERATOR.fullmatch(target)
    if named is None:
        return _FUNCTION.fullmatch(target) is not None
    packet = getattr(getattr(torch.ops, named["space"]), named["name"], None)
    found = getattr(packet, named["overload"], None)
    return isinstance(found, torch._ops.OpOverload) and named["name"] not in _HARMFUL


def _is_plain_tree(tree: Any) -> bool:
    """Whether how inputs are nested is told in tuples, lists and dictionaries alone."""
    if not isinstance(tree, dict) or set(tree) - {"type", "context", "children_spec"}:
        return False
    context = json.loads(tree["context"]) if tree.get("context") else None
    names = context is None or (
        isinstance(context, list)
        and all(isinstance(own, str) and _NAME.fullmatch(own) for own in context)
    )
    return (
        tree.get("type") in _PLAIN_TREES
        and names
        and all(map(_is_plain_tree, tree["children_spec"]))
    )

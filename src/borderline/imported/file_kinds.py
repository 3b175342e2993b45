"""The kind of a model's source, from its file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from borderline.errors import BorderlineError
from borderline.imported.foreign_files import START, foreign_folder, foreign_format
from borderline.imported.params import NO_CODE, RUN_CODE

_KINDS = {".pt2": "torch_export", ".onnx": "onnx", ".safetensors": "state_dict"}


def kind_of_model(path: str | None, import_path: str | None, *, trust: bool) -> dict[str, Any]:
    """The source of a model, its kind from the file's name and format.

    Raises:
        BorderlineError: When there is no such file, or when it can run code and is not trusted.
    """
    if path is None:
        return {"kind": "callable", "import_path": import_path}
    file = Path(path).expanduser()
    if file.is_dir():
        raise BorderlineError(f"--model is {path!r}, which is {foreign_folder(file)}.")
    if not file.is_file():
        raise BorderlineError(f"--model is {path!r}, but there is no such file: correct it.")
    with file.open("rb") as opened:
        foreign = foreign_format(path, opened.read(START))
    if foreign is not None:
        raise BorderlineError(f"--model is {path!r}, which is {foreign}.")
    kind = _KINDS.get(file.suffix.lower())
    if kind is None and _is_torchscript(file):
        kind = "torchscript"
    if kind is None and import_path is None and _is_state_dict(file):
        kind = "state_dict"
    kind = kind or ("state_dict" if import_path else "pickle")
    if kind == "state_dict" and import_path is None:
        raise BorderlineError(
            f"--model is {path!r}, which holds weights and no model: name its class with "
            "--import-path package.module.Name (and --arguments)."
        )
    if import_path is not None and kind != "state_dict":
        raise BorderlineError(
            f"--import-path is {import_path!r}, but {path} is of kind {kind}, which contains its "
            "code: remove it."
        )
    if kind in RUN_CODE and not trust:
        raise BorderlineError(
            f"--trust is missing, but {path} is of kind {kind}, which can run code on your machine "
            f"when it is read: add --trust if you trust the author of the file, or {NO_CODE}."
        )
    source = {"kind": kind, "path": path, "import_path": import_path, "trust": trust or None}
    return {name: value for name, value in source.items() if value is not None}


def _is_torchscript(file: Path) -> bool:
    """Whether a file is an archive with code, as only TorchScript's are."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any("/code/" in name for name in archive.namelist())


def _is_state_dict(file: Path) -> bool:
    from borderline.imported.checkpoints import is_index, read_checkpoint, weight_sets

    content = file.read_bytes()
    try:
        return is_index(content) or bool(weight_sets(read_checkpoint(content, trust=False)))
    except Exception:
        return False

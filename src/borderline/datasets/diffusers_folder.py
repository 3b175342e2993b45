"""The folder of a pipeline of the library diffusers: its settings and weights, and no code."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from borderline.datasets.atomic import ReadOnlyDataset
from borderline.datasets.limits import memory
from borderline.datasets.reading import Folder, Unreadable
from borderline.errors import BorderlineError, did_you_mean

INDEX = "model_index.json"
"""The file that names the parts of a pipeline."""
WEIGHTS = "diffusion_pytorch_model.safetensors"
"""The weights of each part that has some."""
PARTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "DDPMPipeline": {"unet": ("UNet2DModel",), "scheduler": ()},
    "DDIMPipeline": {"unet": ("UNet2DModel",), "scheduler": ()},
    "LDMPipeline": {
        "unet": ("UNet2DModel",),
        "vqvae": ("VQModel", "AutoencoderKL"),
        "scheduler": (),
    },
    "DiTPipeline": {
        # Earlier versions of the library saved the transformer under its former name.
        "transformer": ("DiTTransformer2DModel", "Transformer2DModel"),
        "vae": ("AutoencoderKL",),
        "scheduler": (),
    },
}
"""The pipelines that can be decoded, with the classes that each part may have; any scheduler."""

_CODE = (".py", ".pyc", ".so", ".dll", ".dylib", ".pyd")
_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".msgpack", ".h5", ".npy", ".npz")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LARGEST_CONFIG = 2**24
# The same files give the same bytes at any time.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_SAVE = "save it again with pipeline.save_pretrained(folder)"

Files = dict[str, bytes]
"""The content of each file of a pipeline by its path in the folder."""


class DiffusersFolder(ReadOnlyDataset[bytes]):
    """The files that a pipeline of diffusers is built from, as the bytes of an archive; read only.

    Args:
        filepath: The path of the folder on this machine.
        setting: The setting that holds the path, for messages.
        metadata: Ignored here; read by kedro-viz.

    Raises:
        BorderlineError: At loading, when it is no whole pipeline, or when it holds code.
    """

    def __init__(
        self, *, filepath: str, setting: str, metadata: dict[str, Any] | None = None
    ) -> None:
        self._path, self._setting = filepath, setting
        self.metadata = metadata

    def load(self) -> bytes:
        """The archive of the pipeline's files, in the order of their names."""
        try:
            return packed(_read(self._path))
        except BorderlineError as error:
            raise BorderlineError(f"{self._setting} is {self._path!r}, {error}") from error

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}


def packed(files: Files) -> bytes:
    """An archive of files.

    Example:
        >>> unpacked(packed({"b": b"2", "a": b"1"}))
        {'a': b'1', 'b': b'2'}
    """
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), files[name])
    return content.getvalue()


def unpacked(content: bytes) -> Files:
    """The files of an archive of :func:`packed`.

    Raises:
        BorderlineError: When it is none; the sentence begins with "which".
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
            # A compressed file could be of any size.
            if any(entry.file_size != entry.compress_size for entry in entries):
                raise zipfile.BadZipFile
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        raise BorderlineError(f"which is no folder of a pipeline of diffusers: {_SAVE}.") from error


def parts_of(index: bytes) -> tuple[str, dict[str, str]]:
    """The name of the pipeline in a ``model_index.json``, and the class of each of its parts.

    Raises:
        BorderlineError: When it is not one of ``PARTS``, or when a class comes from elsewhere; the
            sentence begins with "whose".
    """
    about = as_json(index, INDEX)
    pipeline = about.get("_class_name")
    known = PARTS.get(pipeline) if isinstance(pipeline, str) else None
    if known is None:
        raise BorderlineError(
            f"whose {INDEX} names the pipeline {pipeline!r}{did_you_mean(str(pipeline), PARTS)}, "
            f"but only {', '.join(PARTS)} make an image of noise alone: choose such a pipeline."
        )
    named = {name: entry for name, entry in about.items() if isinstance(entry, list)}
    parts = {}
    for name in {**known, **named}:
        library, kind = (*named.get(name, []), None, None)[:2]
        if library is None and kind is None and name not in known:
            continue
        expected = known.get(name, ("no such part",))
        if library != "diffusers" or (expected and kind not in expected):
            raise BorderlineError(
                f"whose {INDEX} names {kind!r} of {library!r} as its {name}, but in a {pipeline} "
                f"it must be {' or '.join(expected) or 'a scheduler'} of 'diffusers': {_SAVE}, and "
                "with no class of your own."
            )
        parts[name] = str(kind)
    return str(pipeline), parts


def as_json(content: bytes, name: str) -> dict[str, Any]:
    """The settings in a file.

    Raises:
        BorderlineError: When it is no JSON object; the sentence begins with "whose".
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BorderlineError(f"whose {name} is no whole JSON object: {_SAVE}.")
    return found


def _read(path: str) -> Files:
    """The files of a pipeline in a folder; errors begin with "which" or "whose"."""
    folder = Path(path)
    if "://" in path or not folder.is_dir():
        raise BorderlineError(
            "but there is no such folder on this machine, and nothing is downloaded: correct it, "
            "or fetch the pipeline first (hf download NAME --local-dir FOLDER)."
        )
    if not (folder / INDEX).is_file():
        raise BorderlineError(f"which has no {INDEX}, as a pipeline has: {_SAVE}.")
    _check_entries(folder)
    files = {INDEX: _content(folder, INDEX, _LARGEST_CONFIG)}
    _, parts = parts_of(files[INDEX])
    for part in parts:
        config = config_of(part)
        files[config] = _content(folder, config, _LARGEST_CONFIG)
        if part != "scheduler":
            files |= _weights(folder, part)
    return files


def config_of(part: str) -> str:
    """The file with the settings of a part."""
    return f"{part}/{'scheduler_config' if part == 'scheduler' else 'config'}.json"


def _check_entries(folder: Path) -> None:
    """Refuse what could run code, wherever it stands, and links that leave the folder."""
    root = folder.resolve()
    for file in _entries(folder):
        name, suffix = file.relative_to(folder).as_posix(), file.suffix.lower()
        if suffix in _CODE:
            raise BorderlineError(
                f"which holds the code {name}, and Borderline runs no code of a pipeline: remove "
                "it if the pipeline works without it, or choose a pipeline of diffusers' own "
                "classes."
            )
        if suffix in _PICKLES:
            raise BorderlineError(
                f"which holds {name}, a file that can run code when it is read: {_SAVE}, which "
                "writes safetensors, or remove it if the safetensors are beside it."
            )
        if file.is_symlink() and not file.resolve().is_relative_to(root):
            raise BorderlineError(
                f"whose {name} is a link that leaves the folder: copy the files themselves (hf "
                "download NAME --local-dir FOLDER)."
            )


def _entries(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        yield from (Path(place) / name for name in sorted([*folders, *files]))


def _weights(folder: Path, part: str) -> Files:
    """The weights of a part under the names that the library reads."""
    found = sorted(path.name for path in (folder / part).glob("*.safetensors"))
    index = f"{part}/{WEIGHTS}.index.json"
    if (folder / index).is_file() and WEIGHTS not in found:
        files = {index: _content(folder, index, _LARGEST_CONFIG)}
        shards = as_json(files[index], index).get("weight_map")
        names = set(shards.values()) if isinstance(shards, dict) else set()
        if not names or not all(isinstance(n, str) and _NAME.fullmatch(n) for n in names):
            raise BorderlineError(f"whose {index} names no files of weights: {_SAVE}.")
        return files | {f"{part}/{n}": _content(folder, f"{part}/{n}", memory()) for n in names}
    # A single file of another name holds a variant, such as the half precision.
    name = WEIGHTS if WEIGHTS in found or len(found) != 1 else found[0]
    return {f"{part}/{WEIGHTS}": _content(folder, f"{part}/{name}", memory())}


def _content(folder: Path, name: str, most: int) -> bytes:
    file = str(folder / name)
    try:
        content = Folder(LocalFileSystem(), str(folder)).read(file, most)
    except (Unreadable, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BorderlineError(f"whose {name} cannot be read ({reason}): {_SAVE}.") from error
    if not content:
        raise BorderlineError(f"whose {name} is empty (0 bytes): {_SAVE}.")
    return content

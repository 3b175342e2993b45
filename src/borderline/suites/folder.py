"""A suite as a folder of files without code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError, ValidationInfo, field_validator
from pydantic_core import from_json

from borderline.datasets.suite_folder import (
    CARD,
    IMAGES,
    ITEMS,
    read_files,
    with_digests,
    write_files,
)
from borderline.errors import BorderlineError
from borderline.params import Params
from borderline.suites.suite import FORMAT, About, Item, Suite, digests_of_images

_TENSOR = "images"
_REMEDY = "freeze a new suite, or copy the whole folder from its source again"
_LONGEST_REASON = 160


class _Items(Params):
    """The content of ``suite.json``."""

    about: About
    items: tuple[Item, ...]

    @field_validator("items")
    @classmethod
    def _have_known_runs(cls, items: tuple[Item, ...], info: ValidationInfo) -> tuple[Item, ...]:
        runs = len(info.data["about"].made_with) if "about" in info.data else 0
        if runs and any(item.run is not None and item.run >= runs for item in items):
            raise ValueError(f"an image names a run that is not among the {runs} of made_with")
        return items


def files_of(suite: Suite) -> dict[str, bytes]:
    """The content of each file of a suite's folder, by name.

    Raises:
        BorderlineError: When the parts of the suite do not fit each other.
    """
    from safetensors.torch import save

    from borderline.suites.card import write_card

    if fault := _fault(suite):
        raise BorderlineError(f"The suite cannot be written, because {fault}: freeze a new suite.")
    content = {
        CARD: write_card(suite).encode(),
        ITEMS: _items_of(suite),
        IMAGES: save({_TENSOR: suite.images.contiguous()}),
    }
    return with_digests(content)


def suite_of(files: Mapping[str, bytes], folder: str) -> Suite:
    """The suite of the files of a folder; ``folder`` is its name in messages.

    Raises:
        BorderlineError: When the files have another format, or do not fit each other.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    read = _read_items(files[ITEMS], folder)
    try:
        # The library checks the header, and that the tensors fill the file.
        tensors = load(files[IMAGES])
    except (SafetensorError, ValueError, KeyError) as error:
        _refuse(IMAGES, folder, f"it is no whole safetensors file ({error})")
    if set(tensors) != {_TENSOR}:
        _refuse(IMAGES, folder, f"it must hold one tensor called {_TENSOR!r}")
    suite = Suite(read.about, read.items, tensors[_TENSOR])
    if fault := _fault(suite):
        _refuse(IMAGES, folder, fault)
    return suite


def suites_of(files: Mapping[str, Mapping[str, bytes]]) -> dict[str, Suite]:
    """The suites by folder, from the files of each; see :func:`suite_of`."""
    return {folder: suite_of(content, folder) for folder, content in files.items()}


def write_suite(suite: Suite, folder: str) -> None:
    """Write a suite to a folder of this machine, which must not exist yet.

    Raises:
        BorderlineError: When the parts of the suite do not fit each other, or the folder exists.
    """
    try:
        write_files(files_of(suite), Path(folder))
    except FileExistsError as error:
        raise BorderlineError(
            f"The folder {folder} exists already, so no suite is written there: name a new one."
        ) from error


def read_suite(folder: str) -> Suite:
    """Read the suite of a folder: its path, or its address in a bucket.

    Raises:
        BorderlineError: When it is no whole, unchanged suite; the sentence names the folder, and
            the file that is to blame.
    """
    return suite_of(read_files(folder), folder)


def digest_of(suite: Suite) -> str:
    """The fingerprint of a suite: the SHA-256 of its ``suite.json``, which has all digests."""
    return hashlib.sha256(_items_of(suite)).hexdigest()


def _items_of(suite: Suite) -> bytes:
    """The file of the items: JSON with one item a line, the same for the same suite."""
    lines = (_line(item.model_dump(mode="json", exclude_defaults=True)) for item in suite.items)
    about, items = _line(suite.about.model_dump(mode="json")), ",\n".join(lines)
    return f'{{"about": {about}, "items": [\n{items}\n]}}\n'.encode()


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _read_items(content: bytes, folder: str) -> _Items:
    try:
        values = from_json(content, allow_inf_nan=False)
        version = values["about"]["format"]
    except (ValueError, TypeError, LookupError) as error:
        _refuse(ITEMS, folder, f"it does not describe a suite ({error})")
    if version != FORMAT or isinstance(version, bool):
        raise BorderlineError(
            f"The suite {folder} has version {repr(version)[:20]} of the format, but this version "
            f"of Borderline reads {FORMAT}: use the version of Borderline that wrote it, or freeze "
            "a new suite."
        )
    try:
        return _Items.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place, reason = ".".join(map(str, first["loc"])), first["msg"]
        _refuse(ITEMS, folder, f"{place}: {reason.removeprefix('Value error, ')}")


def _fault(suite: Suite) -> str:
    """The fault of a suite, as the end of a sentence; empty for none."""
    import torch

    images, shape = suite.images, (len(suite.items), *suite.about.shape)
    digests = [item.digest for item in suite.items]
    if not digests:
        return "it has no images"
    if images.dtype != torch.float32:
        return f"its images are {images.dtype}, but they must be torch.float32"
    if tuple(images.shape) != shape:
        return f"its images have the shape {tuple(images.shape)}, but {ITEMS} has items for {shape}"
    if not bool((images.abs() <= 1).all()):
        return "a pixel is not a number between -1 and 1"
    wrong = [row for row, now in enumerate(digests_of_images(images)) if now != digests[row]]
    if wrong:
        return f"image {wrong[0]} is another one than {ITEMS} describes, by its digest"
    if len(set(digests)) < len(digests):
        return "an image is there twice"
    return ""


def _refuse(file: str, folder: str, reason: str) -> NoReturn:
    said = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
    raise BorderlineError(
        f"The file {file} of the suite {folder} cannot be used, because {said}: {_REMEDY}."
    )

"""The key of a project, and the tags that tell the files that the project wrote.

Reading some files can run code. A tag at such a file (HMAC-SHA256 with the key) shows that this
project wrote it, so that it can be read without trust in anybody else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from borderline.datasets.atomic import AtomicSave, BinaryFile, damaged
from borderline.datasets.buckets import address_of
from borderline.errors import BorderlineError

VARIABLE = "BORDERLINE_KEY"
"""The environment variable that holds the key in place of the file."""
FILE = "data_folder.key"
"""The file of the key in ``conf/local``."""
NO_TAG = f"{'0' * 8}-{'0' * 64}"
"""The place of a tag in a file without one."""
TAG = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{64}")
"""A tag: a short name of the key, and the digest."""

_BYTES = 32
_HEX = re.compile(rf"[0-9a-fA-F]{{{2 * _BYTES}}}")
_MAKE = 'python -c "import secrets; print(secrets.token_hex(32))"'
_CLASSES = ("borderline.datasets.ModelDataset", "borderline.datasets.PickleDataset")


class ProjectKey:
    """The secret key of a project: 32 bytes.

    A copy for another process holds the key itself, because a worker on another machine has no
    file. The key is in no text about this object.

    Args:
        path: The file of the key, which :meth:`make` creates; None for no file.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._key: bytes | None = None

    def read(self) -> bytes | None:
        """The key: that of the environment, or that of the file; None if there is none yet.

        Raises:
            BorderlineError: When it is malformed, or the file cannot be read.
        """
        if self._key is None:
            text = os.environ.get(VARIABLE)
            if text is not None:
                self._key = _parsed(text, f"The environment variable {VARIABLE}")
            elif self._path is not None and self._path.exists():
                self._key = _parsed(_text_of(self._path), f"The key in {self._path}", self._path)
        return self._key

    def make(self) -> bytes | None:
        """The key; a new one in the file if there is none yet. None where there is no file.

        Raises:
            BorderlineError: When the file cannot be written.
        """
        if self.read() is None and self._path is not None:
            try:
                self._write(self._path)
            except OSError as error:
                raise BorderlineError(
                    f"The key of the project cannot be written to {self._path} "
                    f"({error.strerror or error}): make that folder writable, or set the "
                    f"environment variable {VARIABLE} to 64 hexadecimal digits ({_MAKE})."
                ) from error
        return self.read()

    def tag(self, content: bytes) -> str:
        """The tag of a content; ``NO_TAG`` without a key."""
        key = self.read()
        if key is None:
            return NO_TAG
        digest = hmac.new(key, content, hashlib.sha256).hexdigest()
        return f"{hashlib.sha256(key).hexdigest()[:8]}-{digest}"

    def doubt(self, content: bytes, tag: str) -> str:
        """Why a content may not be from this project; empty if its tag is right."""
        right = self.tag(content)
        if tag == NO_TAG:
            return "has no tag of the project that wrote it"
        if right == NO_TAG:
            return (
                "cannot be checked without the key of the project that wrote it (copy its "
                "conf/local/data_folder.key if that project is yours)"
            )
        if hmac.compare_digest(right, tag):
            return ""
        if tag[:8] != right[:8]:
            return "was written with the key of another project"
        return "was changed or damaged after this project wrote it"

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{secrets.token_hex(8)}")
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w") as stream:
                stream.write(f"{secrets.token_hex(_BYTES)}\n")
            # A link never replaces a file: of two processes that start together, one is first.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_key": self.read()}


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise BorderlineError(
            f"The key in {path} cannot be read ({error.strerror}): correct its permissions, or "
            f"set the environment variable {VARIABLE}."
        ) from error


def _parsed(text: str, name: str, path: Path | None = None) -> bytes:
    if _HEX.fullmatch(text.strip()):
        return bytes.fromhex(text.strip())
    remedy = f"set it to the key of the project, or to a new one ({_MAKE})"
    if path is not None:
        remedy = "restore that file, or remove it to make a new key"
    raise BorderlineError(
        f"{name} must be {2 * _BYTES} hexadecimal digits, but has {len(text.strip())} characters"
        f"{'' if len(text.strip()) != 2 * _BYTES else ' that are not all such digits'}: {remedy}."
    )


class KeyedFile(AtomicSave, BinaryFile[Any]):
    """A file with a tag of the project, whose reading can run code.

    Args:
        filepath: Path or fsspec address of the file.
        key_file: The file of the key; None for the key of the environment, if it has one.
        trust: Whether a file without a right tag may run code.
        trust_setting: The setting that holds ``trust``, for messages.
        credentials: Login of the file system.
        metadata: Ignored here; read by kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        key_file: str | None = None,
        trust: bool = False,
        trust_setting: str | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, credentials=credentials, metadata=metadata)
        self.key, self._trust, self._trust_setting = ProjectKey(key_file), trust, trust_setting

    def check(self, remedy: str) -> None:
        """Check that the file is whole, and needs no trust that is not given; nothing runs.

        Args:
            remedy: What else to do, for the message: ``make it again with `kedro run ...```.

        Raises:
            BorderlineError: When it cannot.
        """
        raise NotImplementedError

    def content(self) -> bytes:
        """The bytes of the file."""
        return bytes(self._fs.cat_file(str(self._filepath)))

    def untrusted(self, doubt: str, remedy: str) -> BorderlineError:
        """The error about a file that may run code."""
        setting = self._trust_setting
        trust = "read it with trust=True" if setting is None else f"set {setting} to true"
        where = " (conf/<env>/globals.yml or --params)" if setting else ""
        return BorderlineError(
            f"{address_of(self)} {doubt}, and reading it can run code on your machine: {remedy}, "
            f"or {trust}{where} if you trust its author."
        )

    def damaged(self, reason: str, remedy: str) -> BorderlineError:
        """The error about a file that cannot be read."""
        return damaged(address_of(self), ValueError(reason), remedy)


def with_key(
    catalog: Mapping[str, Any], key_file: str | None, *, trust: bool, trust_other: bool
) -> dict[str, Any]:
    """The catalog with the place of the key, and the trust, at each entry that needs them.

    The key itself is not in the catalog, which commands print.

    Args:
        trust: Of the data folder.
        trust_other: Of the data folder of ``other_run``.
    """
    changed = dict(catalog)
    for name, fields in catalog.items():
        if isinstance(fields, Mapping) and fields.get("type") in _CLASSES:
            other = name.startswith("other_run.")
            changed[name] = {
                "key_file": key_file,
                "trust": trust_other if other else trust,
                "trust_setting": "other_run.trust" if other else "trust_data_folder",
                **fields,
            }
    return changed

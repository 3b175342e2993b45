"""The file of an imported model or generator, as bytes."""

from __future__ import annotations

from typing import Any

import fsspec
from kedro.io.core import get_protocol_and_path

from borderline.datasets.atomic import ReadOnlyDataset
from borderline.errors import BorderlineError


class ImportedFile(ReadOnlyDataset[bytes]):
    """The raw bytes of a file, read only.

    Args:
        filepath: Its path or fsspec address; None for a callable, which has no file.
        setting: The setting that holds the path, for messages.
        credentials: Login of the file system.
        metadata: Ignored here; read by kedro-viz.

    Example:
        >>> _ = (tmp_path / "model.onnx").write_bytes(b"weights")
        >>> ImportedFile(filepath=str(tmp_path / "model.onnx"), setting="path").load()
        b'weights'
    """

    def __init__(
        self,
        *,
        filepath: str | None,
        setting: str,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._address, self._setting = filepath, setting
        self._credentials = credentials or {}
        self.metadata = metadata

    def load(self) -> bytes:
        """The content of the file; an error if it cannot be read or is empty."""
        if self._address is None:
            return b""
        protocol, path = get_protocol_and_path(self._address)
        try:
            content = bytes(fsspec.filesystem(protocol, **self._credentials).cat_file(path))
        except Exception as error:  # The drivers of fsspec raise errors of many types.
            raise BorderlineError(
                f"{self._setting} is {self._address!r}, which cannot be read "
                f"({getattr(error, 'strerror', None) or type(error).__name__}): correct it."
            ) from error
        if not content:
            raise BorderlineError(
                f"{self._setting} is {self._address!r}, which is empty (0 bytes): replace it with "
                "a complete copy."
            )
        return content

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._address}

"""The file of a model or a generator that was trained elsewhere, as its bytes."""

from __future__ import annotations

from typing import Any, NoReturn

import fsspec
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path

from borderline.errors import BorderlineError


class ImportedFile(AbstractDataset[NoReturn, bytes]):
    """A file that is only read, and not yet made sense of.

    Args:
        filepath: Its path or fsspec address; None where what is imported has no file.
        setting: What the path is called in the parameters, for messages.
        credentials: Of the address.
        metadata: Ignored here; read by kedro-viz.

    Example:
        >>> (tmp_path / "model.pt2").write_bytes(b"weights")
        >>> ImportedFile(filepath=str(tmp_path / "model.pt2"), setting="path").load()
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
        """The content of the file.

        Raises:
            BorderlineError: When there is none, or nothing in it.
        """
        if self._address is None:
            return b""
        protocol, path = get_protocol_and_path(self._address)
        try:
            content = bytes(fsspec.filesystem(protocol, **self._credentials).cat_file(path))
        except Exception as error:  # whatever the address's driver raises
            raise BorderlineError(
                f"{self._setting} is {self._address!r}, which cannot be read "
                f"({getattr(error, 'strerror', None) or type(error).__name__}): correct it."
            ) from error
        if not content:
            raise BorderlineError(
                f"{self._setting} is {self._address!r}, which is empty (0 bytes): replace it by a "
                "sound copy."
            )
        return content

    def save(self, data: NoReturn) -> NoReturn:
        """Not supported: it is only read."""
        raise DatasetError("An imported file is only read.")

    def _exists(self) -> bool:
        # What is wrong with a file is said by its own sentence when it is loaded.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._address}

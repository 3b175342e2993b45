"""The archives that PyTorch writes, as what both its reader and ours see in them."""

from __future__ import annotations

from io import BytesIO
from zipfile import BadZipFile, ZipFile

from borderline.errors import BorderlineError

_BEGINNING = b"PK\x03\x04"


def read_archive(content: bytes, path: str, what: str) -> dict[str, bytes]:
    """The parts of an archive by name, without the folder that all are in.

    Args:
        content: The file.
        path: Where it is, for the message.
        what: What it should be, likewise.

    Raises:
        BorderlineError: When it is no archive, or one that two readers may read differently: with
            something before it, with a name twice, or with more than one folder.
    """
    try:
        archive = ZipFile(BytesIO(content))
        names = archive.namelist()
        folders = {name.partition("/")[0] for name in names}
        if content[:4] != _BEGINNING or len(set(names)) < len(names) or len(folders) != 1:
            raise BadZipFile("not as PyTorch writes it")
        return {name.partition("/")[2]: archive.read(name) for name in names}
    except (BadZipFile, ValueError, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise BorderlineError(
            f"path is {path!r}, which is no {what}: name another file, or the kind that it is of."
        ) from error

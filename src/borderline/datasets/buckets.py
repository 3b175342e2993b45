"""Results in a bucket: any address of fsspec, such as ``s3://bucket/folder``."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog

from borderline.errors import BorderlineError


def is_bucket(path: str) -> bool:
    """Whether an address is outside this machine's file system.

    Example:
        >>> is_bucket("s3://results/digits"), is_bucket("data")
        (True, False)
    """
    return "://" in path and not path.startswith("file://")


def located(path: str, project: Path) -> str:
    """The whole path of a file or folder of this machine; an address in a bucket stays.

    ``~`` is the home folder, and a relative path begins in the project. All other characters stand
    for themselves.

    Example:
        >>> located("data [x]", Path("/home/me")), located("s3://results/digits", Path("/home/me"))
        ('/home/me/data [x]', 's3://results/digits')
    """
    if is_bucket(path):
        return path
    try:
        return str(project / Path(path.removeprefix("file://")).expanduser())
    except RuntimeError as error:
        raise BorderlineError(
            f"The path {path!r} begins with the home folder of a user who is not on this machine: "
            "correct it in conf/<env>, or write ./ before it if the folder is called so."
        ) from error


def address_of(dataset: Any) -> str:
    """The path or address of a dataset's file, for a person."""
    path, protocol = str(dataset._filepath), getattr(dataset, "_protocol", "file")
    return path if protocol == "file" else f"{protocol}://{path}"


def folder_of(dataset: Any) -> str:
    """The folder of a dataset's file."""
    return address_of(dataset).rpartition("/")[0]


def local_copy(dataset: Any, folder: str) -> Path:
    """The path of a dataset's file on this machine; a file of a bucket is copied to a folder."""
    path = Path(str(dataset._filepath))
    if getattr(dataset, "_protocol", "file") == "file":
        return path
    copy = Path(folder) / path.name
    dataset._fs.get_file(str(path), str(copy))
    return copy


def with_credentials(
    catalog: Mapping[str, Any], name: str | None, data_folder: str, known: Mapping[str, Any]
) -> dict[str, Any]:
    """The catalog with credentials at each entry in the bucket of the results.

    Args:
        name: The entry in ``credentials.yml``; None for credentials of the environment.

    Raises:
        BorderlineError: When ``credentials.yml`` has no such group.
    """
    if name is None or not is_bucket(data_folder):
        return dict(catalog)
    if name not in known:
        raise BorderlineError(
            f"credentials is {name!r} in globals.yml, but conf/local/credentials.yml has no such "
            "entry: add it there, or remove credentials to use those of the environment."
        )
    if not isinstance(known[name], Mapping):
        raise BorderlineError(
            f"The entry {name!r} of conf/local/credentials.yml must be a group, such as "
            "'{key: <key>, secret: <secret>}': correct it."
        )
    protocol = data_folder.partition("://")[0] + "://"
    return {
        entry: {"credentials": name, **fields} if _path_of(fields).startswith(protocol) else fields
        for entry, fields in catalog.items()
    }


def check_bucket(catalog: DataCatalog, data_folder: str) -> None:
    """Check that results can be written to the bucket, with the client of the catalog's ledger.

    Raises:
        BorderlineError: When a small object cannot be written.
    """
    probe = f"{data_folder.rstrip('/')}/.{uuid.uuid4().hex}"
    try:
        ledger: Any = catalog.get("ledger")
        ledger._filesystem.pipe_file(probe, b"borderline")
        ledger._filesystem.rm_file(probe)
    # Each driver has its own errors.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BorderlineError(
            f"data_folder is {data_folder!r}, which cannot be written ({reason}): correct it in "
            "conf/<env>/globals.yml, give the bucket's key and endpoint (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, or credentials in globals.yml with an "
            "entry in conf/local/credentials.yml), and install its driver "
            "(pip install 'borderline[s3]')."
        ) from error


def _path_of(entry: Any) -> str:
    fields = entry if isinstance(entry, Mapping) else {}
    return str(fields.get("filepath") or fields.get("path") or "")

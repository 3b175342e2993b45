"""Base classes: saves that leave no half file, single files, folders, and sources only read."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, ClassVar, NoReturn, TypeVar

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from kedro_datasets.partitions.partitioned_dataset import PartitionedDataset

Content = TypeVar("Content")
_METHODS_OF_THE_FILE_SYSTEM = {"_exists_function": "exists", "_glob_function": "glob"}


class AtomicSave:
    """Mixin for file datasets: saves beside the target, then renames.

    The temporary name keeps the suffix, because some writers choose their format by it.
    """

    _filepath: PurePosixPath
    _fs: AbstractFileSystem

    def __getstate__(self) -> dict[str, Any]:
        # A bucket's client can be sent to another process, but its bound methods cannot.
        return {n: v for n, v in self.__dict__.items() if n not in _METHODS_OF_THE_FILE_SYSTEM}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name, method in _METHODS_OF_THE_FILE_SYSTEM.items():
            setattr(self, name, getattr(self._fs, method))

    def save(self, data: Any) -> None:
        """Save ``data``; when saving fails or the process dies, the old file stays."""
        target = self._filepath
        with self._renamed_to(target) as temporary:
            self._filepath = temporary
            try:
                super().save(data)  # type: ignore[misc]
            finally:
                self._filepath = target

    @contextmanager
    def _renamed_to(self, target: PurePosixPath) -> Iterator[PurePosixPath]:
        """A temporary path; it is renamed to the target when the block ends without an error."""
        temporary = target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
        try:
            yield temporary
            if isinstance(self._fs, LocalFileSystem):
                # fsspec would copy where it cannot rename, and so lose the old file on a full disk.
                Path(temporary).replace(target)
            else:
                self._fs.mv(str(temporary), str(target))
        finally:
            if self._fs.exists(str(temporary)):
                self._fs.rm(str(temporary))


class BinaryFile(AbstractDataset[Content, Content]):
    """A dataset that is one file, read and written as a whole.

    Args:
        filepath: Path or fsspec address of the file.
        credentials: Login of the file system.
        metadata: Ignored here; read by kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._protocol, path = get_protocol_and_path(filepath)
        self._filepath = PurePosixPath(path)
        options = {"auto_mkdir": True} if self._protocol == "file" else dict(credentials or {})
        self._fs = fsspec.filesystem(self._protocol, **options)
        self.metadata = metadata

    def load(self) -> Content:
        """The content of the file."""
        with self._fs.open(str(self._filepath), "rb") as file:
            return self._read(file)

    def save(self, data: Content) -> None:
        """Write the file."""
        with self._fs.open(str(self._filepath), "wb") as file:
            self._write(data, file)

    @abstractmethod
    def _read(self, file: IO[bytes]) -> Content: ...

    @abstractmethod
    def _write(self, data: Content, file: IO[bytes]) -> None: ...

    def _exists(self) -> bool:
        return bool(self._fs.exists(str(self._filepath)))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol}


class Folder(PartitionedDataset):
    """A folder of files of one dataset class.

    Args:
        path: The folder.
        credentials: Login of the file system.
        metadata: Ignored here; read by kedro-viz.
    """

    file_class: ClassVar[type[AbstractDataset[Any, Any]]]
    suffix: ClassVar[str]

    def __init__(
        self,
        *,
        path: str,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            path=path,
            dataset=self.file_class,
            filename_suffix=self.suffix,
            credentials=credentials,
            metadata=metadata,
        )

    def load(self) -> dict[str, Callable[[], Any]]:
        """Functions by name that load one file each."""
        return {name: load for name, load in super().load().items() if not name.startswith(".")}


class ReadOnlyDataset(AbstractDataset[NoReturn, Content]):
    """A dataset that cannot be saved. It always exists: loading explains what is missing."""

    def save(self, data: NoReturn) -> NoReturn:
        """Not supported."""
        raise DatasetError(f"{type(self).__name__} is only read.")

    def _exists(self) -> bool:
        return True

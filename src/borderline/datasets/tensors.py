"""Named tensors in one safetensors file, with a preview of its images."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kedro_datasets._typing import ImagePreview

from borderline.datasets.atomic import AtomicSave, BinaryFile, Folder, damaged

if TYPE_CHECKING:
    from torch import Tensor, nn

Parts = Mapping[str, Callable[[], dict[str, "Tensor"]]]
"""Loaders by name, as :class:`TensorFolder` loads them."""

FIRST_PART = "part_00000"
_PREVIEW_IMAGES = 64
_LARGEST_HEAD = 2**20


class TensorDataset(AtomicSave, BinaryFile[dict[str, "Tensor"]]):
    """A dictionary of named tensors as one ``.safetensors`` file, which holds no code.

    kedro-viz shows a tensor named ``images``, shape (N, C, H, W) with values in [-1, 1].

    Example:
        >>> import torch
        >>> dataset = TensorDataset(filepath=str(tmp_path / "x.safetensors"))
        >>> dataset.save({"images": torch.zeros(2, 1, 28, 28)})
        >>> dataset.load()["images"].shape
        torch.Size([2, 1, 28, 28])
    """

    def _read(self, file: IO[bytes]) -> dict[str, Tensor]:
        from safetensors.torch import load

        return load(file.read())

    def _write(self, data: dict[str, Tensor], file: IO[bytes]) -> None:
        from safetensors.torch import save

        file.write(save({name: tensor.contiguous() for name, tensor in data.items()}))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, from the head of the file.

        Raises:
            DamagedFile: When the file is missing or cannot be read.
        """
        try:
            with self._fs.open(str(self._filepath), "rb") as file:
                size = int.from_bytes(file.read(8), "little")
                # A damaged file may ask for more than the memory.
                head = json.loads(file.read(min(size, _LARGEST_HEAD)))
            return {name: tuple(about["shape"]) for name, about in head.items() if "shape" in about}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise damaged(str(self._filepath), error, self.remedy) from error

    def preview(self) -> ImagePreview:
        """The first images as one PNG, base64-encoded; empty if the file holds no images."""
        from safetensors import safe_open

        if self._protocol != "file":
            tensors = self.load()
            images = tensors["images"][:_PREVIEW_IMAGES] if "images" in tensors else None
        else:
            # Reads only these images of a large file.
            with safe_open(Path(self._filepath), framework="pt") as file:
                has_images = "images" in file.keys()  # noqa: SIM118
                images = file.get_slice("images")[:_PREVIEW_IMAGES] if has_images else None
        if images is None:
            return ImagePreview("")
        return ImagePreview(base64.b64encode(png_of_grid(images)).decode())


class TensorFolder(Folder):
    """A folder of :class:`TensorDataset` files, for more images than the memory holds.

    Saving the part ``part_00000`` first removes all parts of an earlier set.

    Example:
        >>> import torch
        >>> folder = TensorFolder(path=str(tmp_path / "images"))
        >>> folder.save({"part_00000": {"images": torch.zeros(2, 1, 8, 8)}})
        >>> [part()["images"].shape[0] for part in folder.load().values()]
        [2]
    """

    file_class = TensorDataset
    suffix = ".safetensors"

    def save(self, data: dict[str, dict[str, Tensor]]) -> None:
        """Save parts by name."""
        # Another process may have written to the bucket since this process last listed it.
        self._invalidate_caches()
        if FIRST_PART in data and self._filesystem.exists(self._normalized_path):
            self._filesystem.rm(self._normalized_path, recursive=True)
        super().save(data)

    def preview(self) -> ImagePreview:
        """The first images of the first part, base64-encoded."""
        first = self._join_protocol(min(self._list_partitions()))
        return TensorDataset(filepath=first, credentials=self._credentials).preview()


def png_of_grid(images: Tensor) -> bytes:
    """Images in [-1, 1], (N, C, H, W), side by side as a PNG; a black pixel for no images."""
    import torch
    from torchvision.transforms.functional import to_pil_image
    from torchvision.utils import make_grid

    grid = make_grid(images, nrow=8, normalize=True, value_range=(-1, 1)) if len(images) else None
    buffer = BytesIO()
    to_pil_image(torch.zeros(1, 1, 1) if grid is None else grid).save(buffer, format="PNG")
    return buffer.getvalue()


def digest(*tensors: Tensor) -> str:
    """A fingerprint of the content of tensors: 16 hexadecimal digits of their SHA-256."""
    from safetensors.torch import save

    content = save({str(i): tensor.cpu().contiguous() for i, tensor in enumerate(tensors)})
    return hashlib.sha256(content).hexdigest()[:16]


def digest_of_weights(network: nn.Module) -> str:
    """A fingerprint of a network's weights and buffers, as :func:`digest` gives it."""
    return digest(*network.state_dict().values())

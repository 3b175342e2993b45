"""Named tensors in one safetensors file, with a preview of the images among them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import torch
from kedro.io import AbstractVersionedDataset
from kedro.io.core import Version, get_filepath_str, get_protocol_and_path
from kedro_datasets._typing import ImagePreview
from kedro_datasets.partitions.partitioned_dataset import PartitionedDataset
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from borderline.datasets.atomic import AtomicSave

Parts = Mapping[str, Callable[[], dict[str, Tensor]]]
"""What :class:`TensorFolder` loads."""

FIRST_PART = "part_00000"
_PREVIEW_IMAGES = 64


class _TensorFile(AbstractVersionedDataset[dict[str, Tensor], dict[str, Tensor]]):
    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        protocol, path = get_protocol_and_path(filepath, version)
        options = {**(credentials or {}), **(fs_args or {})}
        if protocol == "file":
            options.setdefault("auto_mkdir", True)
        self._protocol = protocol
        self._fs = fsspec.filesystem(protocol, **options)
        self.metadata = metadata
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=self._fs.exists,
            glob_function=self._fs.glob,
        )

    def load(self) -> dict[str, Tensor]:
        with self._fs.open(get_filepath_str(self._get_load_path(), self._protocol), "rb") as file:
            return load(file.read())

    def save(self, data: dict[str, Tensor]) -> None:
        content = save({name: tensor.contiguous() for name, tensor in data.items()})
        with self._fs.open(get_filepath_str(self._get_save_path(), self._protocol), "wb") as file:
            file.write(content)

    def _exists(self) -> bool:
        return bool(self._fs.exists(get_filepath_str(self._get_load_path(), self._protocol)))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol, "version": self._version}


class TensorDataset(AtomicSave, _TensorFile):
    """A dictionary of named tensors as one ``.safetensors`` file (no pickle, so no code in it).

    A tensor named ``images``, shape (N, C, H, W) with values in [-1, 1], is shown in kedro-viz.

    Args:
        filepath: Path or fsspec address of the file.
        version: Kedro's dataset version, if versioned.
        credentials: What the file system needs to log in.
        fs_args: Further arguments of the file system.
        metadata: Ignored here; read by kedro-viz.

    Example:
        >>> import torch
        >>> dataset = TensorDataset(filepath=tmp_path / "x.safetensors")
        >>> dataset.save({"images": torch.zeros(2, 1, 28, 28)})
        >>> dataset.load()["images"].shape
        torch.Size([2, 1, 28, 28])
    """

    def preview(self) -> ImagePreview:
        """The first images as one PNG, base64-encoded; empty when the file holds no images."""
        if self._protocol != "file":
            every = self.load()
            images = every["images"][:_PREVIEW_IMAGES] if "images" in every else None
        else:
            with safe_open(Path(self._get_load_path()), framework="pt") as file:
                # Of a large file only these are read.
                there = "images" in file.keys()  # noqa: SIM118
                images = file.get_slice("images")[:_PREVIEW_IMAGES] if there else None
        if images is None:
            return ImagePreview("")
        return ImagePreview(base64.b64encode(png_of_grid(images)).decode())


class TensorFolder(PartitionedDataset):
    """A folder of :class:`TensorDataset` files, for more images than the memory holds.

    Loads as functions by name that load a part each. Saving the part ``part_00000`` begins the
    folder anew: parts of a former set go first.

    Args:
        path: The folder.
        credentials: What the file system needs to log in.
        metadata: Ignored here; read by kedro-viz.
    """

    def __init__(
        self,
        *,
        path: str,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            path=path,
            dataset=TensorDataset,
            filename_suffix=".safetensors",
            credentials=credentials,
            metadata=metadata,
        )

    def load(self) -> Parts:
        """Loaders by name, without touching a file."""
        parts: Parts = super().load()
        return {name: load for name, load in parts.items() if not name.startswith(".")}

    def save(self, data: dict[str, dict[str, Tensor]]) -> None:
        """Save parts by name."""
        # Another process may have written since a bucket was last listed here.
        self._invalidate_caches()
        if FIRST_PART in data and self._filesystem.exists(self._normalized_path):
            self._filesystem.rm(self._normalized_path, recursive=True)
        super().save(data)

    def preview(self) -> ImagePreview:
        """The first images of the first part, base64-encoded."""
        first = self._join_protocol(min(self._list_partitions()))
        return TensorDataset(filepath=first, credentials=self._credentials).preview()


def png_of_grid(images: Tensor) -> bytes:
    """The images side by side as a PNG.

    Args:
        images: Images in [-1, 1], shape (N, C, H, W).

    Returns:
        The content of a PNG file; a single black pixel for no images.
    """
    # Takes seconds, which only a preview should cost.
    from torchvision.transforms.functional import to_pil_image
    from torchvision.utils import make_grid

    grid = make_grid(images, nrow=8, normalize=True, value_range=(-1, 1)) if len(images) else None
    buffer = BytesIO()
    to_pil_image(torch.zeros(1, 1, 1) if grid is None else grid).save(buffer, format="PNG")
    return buffer.getvalue()


def digest(*tensors: Tensor) -> str:
    """A short fingerprint of the content of tensors, the same for the same bits.

    Args:
        tensors: Tensors of any shape and type.

    Returns:
        16 hexadecimal digits of their SHA-256.
    """
    content = save({str(i): tensor.cpu().contiguous() for i, tensor in enumerate(tensors)})
    return hashlib.sha256(content).hexdigest()[:16]


def digest_of_weights(network: nn.Module) -> str:
    """A short fingerprint of a network's weights and buffers."""
    return digest(*network.state_dict().values())

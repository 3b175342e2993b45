"""Latent vectors from a file."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from torch import Tensor

    from borderline.pipelines.gasten.params import GenerationParams

NOISE_FILE = "noise_file"
"""The dataset of the file that ``generation.noise_file`` names."""


def noise_entry(generation: GenerationParams) -> dict[str, dict[str, Any]]:
    """The entry of the catalog for the file; none where the noise is drawn."""
    if generation.noise_file is None:
        return {}
    entry = {
        "type": "borderline.datasets.ImportedFile",
        "filepath": generation.noise_file,
        "setting": "generation.noise_file",
        "metadata": {"kedro-viz": {"layer": "judge and GAN"}},
    }
    return {NOISE_FILE: entry}


_NUMPY, _ARCHIVE, _PICKLE = b"\x93NUMPY", b"PK", b"\x80"


def read_noise(content: bytes, latent_dim: int) -> Tensor:
    """The latent vectors of a file, float32 (N, Z).

    The file is an array of NumPy (``.npy``), or holds one tensor: ``.safetensors``, or a ``.pt``
    that PyTorch reads without running code.

    Raises:
        BorderlineError: When it is none of these, or its vectors are not finite (N, Z).
    """
    import torch

    try:
        noise = _tensor(content)
    except Exception as error:  # Foreign bytes raise errors of many types.
        raise BorderlineError(
            "generation.noise_file is no file with one array: name a .npy, a .safetensors, or a "
            f".pt that torch.load reads with weights_only=True ({_first_line(error)})."
        ) from error
    if noise.ndim != 2 or noise.shape[1] != latent_dim or len(noise) == 0:
        raise BorderlineError(
            f"generation.noise_file has the shape {tuple(noise.shape)}, but the latent vectors of "
            f"step 1 need the shape (N, {latent_dim}): correct the file, or set gan.latent_dim."
        )
    if not noise.is_floating_point():
        raise BorderlineError(
            f"generation.noise_file holds numbers of type {noise.dtype}, but latent vectors are "
            "normal floating-point numbers: correct the file."
        )
    noise = noise.to(torch.float32, copy=True).contiguous()
    if not bool(noise.isfinite().all()):
        raise BorderlineError(
            "generation.noise_file holds numbers that are not finite in float32: correct the file."
        )
    return noise


def _tensor(content: bytes) -> Tensor:
    import torch

    if content.startswith(_NUMPY):
        import numpy as np

        array = np.load(BytesIO(content), allow_pickle=False)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    if content.startswith((_ARCHIVE, _PICKLE)):
        return _only(torch.load(BytesIO(content), map_location="cpu", weights_only=True))
    from safetensors.torch import load

    return _only(load(content))


def _only(found: Any) -> Tensor:
    """The tensor, or the one of a dictionary."""
    import torch

    tensors = list(found.values()) if isinstance(found, dict) else [found]
    if len(tensors) != 1 or not isinstance(tensors[0], torch.Tensor):
        raise ValueError(f"it holds {len(tensors)} objects, not one tensor")
    tensor = tensors[0].detach()
    if tensor.is_nested or tensor.layout is not torch.strided or tensor.is_meta:
        raise ValueError("its tensor is nested, sparse or without values")
    return tensor


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:100]}" if lines else type(error).__name__

"""The number of images that differ."""

from __future__ import annotations

import hashlib

from torch import Tensor

_BATCH = 512


def count_distinct(images: Tensor, most: int | None = None) -> int:
    """The number of images (N, C, H, W) in [-1, 1] that differ in at least one of 256 grey levels.

    The count ends at ``most``, if it is given.

    Example:
        >>> import torch
        >>> count_distinct(torch.tensor([0.0, 0.001, 0.5]).view(3, 1, 1, 1))
        2
    """
    known: set[bytes] = set()
    for batch in images.split(_BATCH):
        levels = ((batch.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
        known.update(hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in levels)
        if most is not None and len(known) >= most:
            return most
    return len(known)

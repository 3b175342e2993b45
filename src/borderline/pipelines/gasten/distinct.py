"""Repetitions among a set of images."""

from __future__ import annotations

import torch
from torch import Tensor

_ROWS_AT_A_TIME = 1000
# One of 256 grey levels between -1 and 1.
_GREY_LEVEL = 2 / 255


def is_distinct(images: Tensor) -> Tensor:
    """Whether an image differs from all before it by more than a grey level (root mean square).

    Images are of shape (N, C, H, W) in [-1, 1]; the answer is a boolean tensor (N,).
    """
    flat = images.flatten(1)
    least = _GREY_LEVEL * flat.shape[1] ** 0.5
    distinct = torch.ones(len(flat), dtype=torch.bool)
    for start in range(0, len(flat), _ROWS_AT_A_TIME):
        rows = flat[start : start + _ROWS_AT_A_TIME]
        distances = torch.cdist(rows, flat[: start + len(rows)])
        near = (distances <= least).tril(diagonal=start - 1)
        distinct[start : start + len(rows)] = ~near.any(dim=1)
    return distinct

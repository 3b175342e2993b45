"""The faithfulness of attributions: deletion and insertion curves (Petsiuk et al. 2018).

For signed attributions: the pixels that push towards the positive class go first, those that push
towards the negative class last. With a faithful attribution, p falls when pixels are deleted in
this order, and rises when they are inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from borderline.measures.inference import predict
from borderline.pipelines.prototypes.explaining.attribution import BLACK


class Curves(NamedTuple):
    """p at each share of pixels turned black or put back into a black image, shape (N, S + 1)."""

    deleted: np.ndarray
    inserted: np.ndarray


def shares(steps: int) -> np.ndarray:
    """The shares of pixels along a curve, from 0 to 1, shape (steps + 1,)."""
    return np.linspace(0, 1, steps + 1)


def curves(
    classifier: nn.Module, images: Tensor, values: Tensor, steps: int, device: torch.device
) -> Curves:
    """Delete and insert the pixels in the order of their values, the largest first.

    Args:
        classifier: The model under test: images (N, C, H, W) to logits (N,).
        images: Images in [-1, 1], shape (N, C, H, W), N at least 1.
        values: The attribution of each pixel, shape (N, H, W).
        steps: S.
        device: The device to compute on.
    """
    ranks = values.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    pixels = ranks.shape[1]
    counts = torch.from_numpy((shares(steps) * pixels).round()).to(ranks.dtype)
    gone = (ranks[:, None] < counts[:, None]).reshape(len(images), steps + 1, 1, *images.shape[-2:])

    def p_of(kept: Tensor) -> np.ndarray:
        shown = torch.where(kept, images[:, None], torch.tensor(BLACK)).flatten(0, 1)
        p = predict(classifier, shown, device)
        return p.reshape(len(images), steps + 1).double().numpy()

    return Curves(p_of(~gone), p_of(gone))


def random_curves(
    classifier: nn.Module, images: Tensor, orders: int, steps: int, device: torch.device, seed: int
) -> list[Curves]:
    """The curves of so many random orders of the pixels; the other arguments as in ``curves``."""
    random = torch.Generator().manual_seed(seed)
    size = (len(images), *images.shape[-2:])
    return [
        curves(classifier, images, torch.randn(size, generator=random), steps, device)
        for _ in range(orders)
    ]


def faithfulness(of_attribution: Curves, random: Sequence[Curves]) -> dict[str, float]:
    """Compare the curves of an attribution with those of random orders, at least one.

    Returns:
        ``deletion``, the mean p of random orders minus that of the attribution, over images and
        shares: above 0 where the first pixels do push up. ``insertion``, the reverse: above 0 where
        the last pixels do push down. ``deletion_p`` and ``insertion_p``, the share of orders,
        including this one, with at least so good a mean. All are NaN where the model gives NaN for
        an image with deleted pixels.
    """
    scores = {}
    for name, kind, sign in (("deletion", "deleted", -1), ("insertion", "inserted", 1)):
        areas = np.array([sign * getattr(curves, kind).mean() for curves in random])
        area = sign * getattr(of_attribution, kind).mean()
        scores[name] = float(area - areas.mean())
        as_good = np.where(np.isnan(areas - area), np.nan, areas >= area)
        scores[f"{name}_p"] = float((1 + as_good.sum()) / (1 + len(areas)))
    return scores

"""Are the maps true? What happens to p when the pixels that they name are taken away or put back.

The deletion and insertion curves of Petsiuk et al. 2018, for signed maps: the pixels that push
towards the positive class go first, those that push towards the negative class last. Where a map is
true, p falls when pixels are deleted in this order, and rises when they are inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from borderline.measures.inference import in_batches
from borderline.pipelines.prototypes.explaining.attribution import BLACK


class Curves(NamedTuple):
    """p at each share of pixels.

    Attributes:
        deleted: Pixels turned black, shape (N, S + 1).
        inserted: Pixels put back into black, shape (N, S + 1).
    """

    deleted: np.ndarray
    inserted: np.ndarray


def shares(steps: int) -> np.ndarray:
    """The shares of pixels at which curves are taken, from 0 to 1, shape (steps + 1,)."""
    return np.linspace(0, 1, steps + 1)


def curves(
    classifier: nn.Module, images: Tensor, maps: Tensor, steps: int, device: torch.device
) -> Curves:
    """Delete and insert the pixels in the order of a map, its largest values first.

    Args:
        classifier: The model under test: images (N, C, H, W) to logits (N,).
        images: Images in [-1, 1], shape (N, C, H, W), N at least 1.
        maps: A value for each pixel, shape (N, H, W).
        steps: S.
        device: Where to compute.
    """
    classifier = classifier.to(device).eval()
    ranks = maps.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    pixels = ranks.shape[1]
    counts = torch.from_numpy((shares(steps) * pixels).round()).to(ranks.dtype)
    gone = (ranks[:, None] < counts[:, None]).reshape(len(images), steps + 1, 1, *images.shape[-2:])

    def p_of(kept: Tensor) -> np.ndarray:
        shown = torch.where(kept, images[:, None], torch.tensor(BLACK)).flatten(0, 1)
        p = in_batches(lambda batch: torch.sigmoid(classifier(batch)), shown, device=device)
        return p.reshape(len(images), steps + 1).double().numpy()

    return Curves(p_of(~gone), p_of(gone))


def random_curves(
    classifier: nn.Module, images: Tensor, maps: int, steps: int, device: torch.device, seed: int
) -> list[Curves]:
    """The curves of maps with random values, so many of them; else as ``curves``."""
    random = torch.Generator().manual_seed(seed)
    size = (len(images), *images.shape[-2:])
    return [
        curves(classifier, images, torch.randn(size, generator=random), steps, device)
        for _ in range(maps)
    ]


class Faithfulness(NamedTuple):
    """How much more a map's order of the pixels does to p than random orders.

    Attributes:
        deletion: By how much the mean p, over images and shares, is lower than that of random maps
            while the pixels that push up are deleted; above 0 where they do push up.
        deletion_p: The share of random maps, this one among them, with so low a mean.
        insertion: By how much it is higher while they are inserted first and those that push down
            last; above 0 where the latter do push down.
        insertion_p: The share of random maps, this one among them, with so high a mean.
    """

    deletion: float
    deletion_p: float
    insertion: float
    insertion_p: float


def faithfulness(found: Curves, chance: Sequence[Curves]) -> Faithfulness:
    """Compare the curves of a map with those of random maps, at least one."""
    values = []
    for own, others, sign in (
        (found.deleted, [c.deleted for c in chance], -1),
        (found.inserted, [c.inserted for c in chance], 1),
    ):
        areas = np.array([sign * other.mean() for other in others])
        reached = sign * own.mean()
        values += [
            float(reached - areas.mean()),
            float((1 + (areas >= reached).sum()) / (1 + len(areas))),
        ]
    return Faithfulness(*values)

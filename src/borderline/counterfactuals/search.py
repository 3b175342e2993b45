"""The search from images to the boundary and beyond, in the latents of a generator or in pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from borderline.boundary import logit, uncentred
from borderline.measures.inference import (
    batch_size_of,
    batch_size_with_gradients,
    in_batches,
)
from borderline.searching import find_crossings, nearest_point

# Of p, on the way to the points that the search has found.
_TOLERANCE = 1e-3


class Changed(NamedTuple):
    """K images at the boundary and beyond.

    Attributes:
        start: The images where the search begins, (K, C, H, W).
        boundary: On the boundary, (K, C, H, W).
        flipped: Decided otherwise, (K, C, H, W).
        reached: Whether the search has found both, bool (K,); else they are other images.
        lengths: Of the way to ``flipped``, in latents or in pixels, (K,).
    """

    start: Tensor
    boundary: Tensor
    flipped: Tensor
    reached: Tensor
    lengths: Tensor


def change_latents(
    decoder: nn.Module,
    classifier: nn.Module,
    latents: Tensor,
    flipped: float,
    threshold: float,
    steps: int,
    device: torch.device,
) -> Changed:
    """The smallest changes of latents (K, Z) to the boundary and to the other decision.

    Each is a local optimum of ``searching.nearest_point``, and the way there is straight.

    Args:
        decoder: Latents to images (N, C, H, W) in [-1, 1].
        classifier: Images to logits (N,), with gradients.
        latents: K at least 1; of any shape.
        flipped: The centred probability at which an image is decided otherwise, above 0.5.
        threshold: The decision threshold of the model.
        steps: Steps of the search.
        device: The device to compute on.
    """
    decoder, classifier = decoder.to(device).eval(), classifier.to(device).eval()
    shape = latents.shape[1:]
    start = latents.flatten(1).to(device)

    def decode(points: Tensor) -> Tensor:
        images: Tensor = decoder(points.reshape(-1, *shape))
        return images

    def logits_of(points: Tensor) -> Tensor:
        logits: Tensor = classifier(decode(points))
        return logits

    size = batch_size_of(decoder, classifier)
    images = in_batches(decode, start, device=device, batch_size=size)
    begins = in_batches(classifier, images, device=device)
    signs, goals = _goals(begins, flipped, threshold)
    signs, both = signs.to(device), start.repeat(2, 1)
    aims = signs * goals.to(device)

    def excess(changes: Tensor, rows: Tensor) -> Tensor:
        return signs[rows] * logits_of(both[rows] + changes) - aims[rows]

    at_once = batch_size_with_gradients(decoder, images.shape, classifier)
    changes = nearest_point(excess, torch.zeros_like(both), steps, at_once)
    way = _Way(decode, logits_of, start, changes, size)
    return _changed(way, images, signs.cpu(), goals, begins, device)


def change_pixels(
    classifier: nn.Module,
    images: Tensor,
    towards: Tensor,
    flipped: float,
    threshold: float,
    device: torch.device,
) -> Changed:
    """The blends of images with others, (K, C, H, W) each: not the smallest changes.

    K is at least 1; the other arguments are as in :func:`change_latents`.
    """
    classifier = classifier.to(device).eval()
    start = images.to(device)
    begins = in_batches(classifier, start, device=device)
    signs, goals = _goals(begins, flipped, threshold)
    changes = (towards.to(device) - start).repeat(2, *[1] * (start.dim() - 1))
    way = _Way(lambda x: x, classifier, start, changes, batch_size_of(classifier))
    return _changed(way, images, signs, goals, begins, device)


def _goals(begins: Tensor, flipped: float, threshold: float) -> tuple[Tensor, Tensor]:
    """Signs and logits of the goals, (2 K,): first those on the boundary, then those beyond."""
    upwards = begins <= logit(threshold)
    up, down = (logit(uncentred(p, threshold)) for p in (flipped, 1 - flipped))
    beyond = torch.where(upwards, up, down)
    on = torch.full_like(beyond, logit(threshold))
    return torch.where(upwards, 1.0, -1.0).repeat(2), torch.cat([on, beyond])


class _Way(NamedTuple):
    """The straight ways from points (K, ...) by changes (2 K, ...): first to the boundary."""

    decode: Callable[[Tensor], Tensor]
    logits_of: Callable[[Tensor], Tensor]
    start: Tensor
    changes: Tensor
    batch_size: int


def _changed(
    way: _Way,
    images: Tensor,
    signs: Tensor,
    goals: Tensor,
    begins: Tensor,
    device: torch.device,
) -> Changed:
    """The points of the ways from the images at which the logits are those of the goals."""
    decode, logits_of, start, changes, size = way
    both = torch.cat([start, start])

    def at(shares: Tensor, rows: Tensor) -> Tensor:
        shares = shares.to(start.dtype).reshape(-1, *[1] * (start.dim() - 1))
        return both[rows.to(device)] + shares.to(device) * changes[rows.to(device)]

    def logits_at(shares: Tensor, rows: Tensor) -> Tensor:
        logits = in_batches(logits_of, at(shares, rows), device=device, batch_size=size)
        return signs[rows] * logits

    every = torch.arange(len(both))
    first, last = signs * begins.repeat(2), logits_at(torch.ones(len(both)), every)
    reached = last >= signs * goals
    rows = reached.nonzero()[:, 0]
    shares = torch.ones(len(both), dtype=torch.float64)
    if len(rows):
        found, converged = find_crossings(
            lambda shares, places: logits_at(shares, rows[places]),
            *(first[rows], last[rows], torch.sigmoid((signs * goals)[rows].double()), _TOLERANCE),
        )
        # Where the logit jumps, the end of the way is the nearest point that is known.
        shares[rows] = torch.where(converged, found, 1.0)
    ends = in_batches(decode, at(shares, every), device=device, batch_size=size)
    lengths = shares * changes.flatten(1).norm(dim=1).cpu().double()
    count = len(start)
    return Changed(
        images,
        ends[:count],
        ends[count:],
        reached[:count] & reached[count:],
        lengths[count:].float(),
    )

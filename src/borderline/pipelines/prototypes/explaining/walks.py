"""Straight walks from an image to the first one that the model is confident of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from borderline.measures.inference import (
    batch_size_of,
    batch_size_with_gradients,
    in_batches,
    passes_per_image,
    predict,
)
from borderline.searching import nearest_point

_STEPS, _FEWEST_STEPS = 200, 60
# Points of a straight walk; the first confident one is its end.
_POINTS = 128


class Walks(NamedTuple):
    """Straight walks from K images to where the model is confident of one class.

    Attributes:
        images: From the start to the first confident image, shape (K, S + 1, C, H, W).
        p: Their probabilities, shape (K, S + 1).
        lengths: In latent or pixel space, shape (K,); NaN where the walk reaches no confident image
            and stays at the start.
    """

    images: Tensor
    p: Tensor
    lengths: Tensor


def shortest_walks(
    decoder: nn.Module,
    classifier: nn.Module,
    latents: Tensor,
    confident: float,
    threshold: float,
    steps: int,
    device: torch.device,
) -> Walks:
    """The shortest straight walks in latent space to where the model is confident.

    Searches the smallest change of the latents at which p reaches ``confident``, with the steps of
    DDN (Rony et al. 2019): along the gradient of the logit, which does not vanish far from the
    boundary, on a sphere that shrinks where the goal is reached and grows where it is not. The
    result is a local optimum.

    Args:
        decoder: Latent vectors (N, Z) to images (N, C, H, W) in [-1, 1].
        classifier: Images to logits (N,).
        latents: Of the prototypes, shape (K, Z), K at least 1.
        confident: p at the end; towards the positive class if above the threshold, else towards the
            negative.
        threshold: The decision threshold of the model.
        steps: S, the images of a walk.
        device: The device to compute on.
    """
    decoder, classifier = decoder.to(device).eval(), classifier.to(device).eval()
    start = latents.to(device)
    goal = math.log(confident / (1 - confident))
    sign = 1.0 if confident > threshold else -1.0

    def excess(change: Tensor, rows: Tensor) -> Tensor:
        logits: Tensor = classifier(decoder(start[rows] + change))
        return sign * (logits - goal)

    # A decoder of several passes gets fewer steps, which find walks that are nearly as short.
    searching = max(_FEWEST_STEPS, _STEPS // passes_per_image(decoder))
    image_shape = in_batches(decoder, start[:1], device=device).shape
    at_once = batch_size_with_gradients(decoder, image_shape, classifier)
    change = nearest_point(excess, torch.zeros_like(start), searching, at_once)
    return _walk(decoder, classifier, start, change, confident, threshold, steps, device)


def blends(
    classifier: nn.Module,
    images: Tensor,
    towards: Tensor,
    confident: float,
    threshold: float,
    steps: int,
    device: torch.device,
) -> Walks:
    """The straight walks in pixel space from images without latents to others, (K, C, H, W) each.

    K is at least 1; the other arguments are as in :func:`shortest_walks`.
    """
    start = images.to(device)
    change = towards.to(device) - start
    return _walk(
        lambda image: image, classifier, start, change, confident, threshold, steps, device
    )


def _walk(
    decode: Callable[[Tensor], Tensor],
    classifier: nn.Module,
    start: Tensor,
    change: Tensor,
    confident: float,
    threshold: float,
    steps: int,
    device: torch.device,
) -> Walks:
    """The images from the starts to the first confident points towards start + change."""
    count, extra = len(start), start.dim() - 1

    def at(shares: Tensor) -> Tensor:
        """Images at shares (K, S) of the walks, shape (K * S, C, H, W)."""
        weights = shares.to(start.dtype).reshape(*shares.shape, *[1] * extra)
        points = start[:, None] + weights * change[:, None]
        with torch.inference_mode():
            batches = points.flatten(0, 1).split(batch_size_of(decode))
            return torch.cat([decode(batch).cpu() for batch in batches])

    # A little beyond the end, which may miss the goal by rounding.
    shares = torch.linspace(0, 1 + 2 / _POINTS, _POINTS + 3, device=device).expand(count, -1)
    p = predict(classifier, at(shares), device).reshape(count, -1)
    confidence = p >= confident if confident > threshold else p <= confident
    reached = confidence.any(1)
    ends = torch.where(reached, shares.cpu()[0, confidence.int().argmax(1)], 0.0).to(device)
    images = at(ends[:, None] * torch.linspace(0, 1, steps + 1, device=device))
    lengths = (ends * change.flatten(1).norm(dim=1)).cpu()
    return Walks(
        images.reshape(count, steps + 1, *images.shape[1:]).clone(),
        predict(classifier, images, device).reshape(count, steps + 1),
        torch.where(reached, lengths, torch.nan),
    )

"""Encoding of images: latents whose generated images are near given ones.

A generator only decodes. A decoder that can be inverted brings a method ``encode``: images
(N, C, H, W) to latents, such as the ODE of a flow, backwards. For any other decoder a small network
learns the way back from the generator's own samples, whose latents are known, and a few
optimisation steps bring each image nearer (Zhu et al. 2016, "Generative visual manipulation on the
natural image manifold").
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from borderline.measures.inference import (
    batch_size_of,
    batch_size_with_gradients,
    embed,
    has_gradients,
    in_batches,
)
from borderline.params import RunParams
from borderline.printing import log_long_wait

logger = logging.getLogger(__name__)

# The samples that the encoder learns from, and its training.
_SAMPLES = 1024
_ENCODER_STEPS = 120
_BATCH = 64
# Decoding is slow: this part of a batch is decoded again.
_DECODED_AGAIN = 8
_ENCODER_RATE = 2e-3
# The optimisation of the latents.
_STEPS = 60
_RATE = 0.1
_FEATURES, _SHELL = 0.3, 0.1


class Errors(NamedTuple):
    """How far the reconstructions of N images are from these.

    Attributes:
        pixels: Root mean square of the difference of the pixels, which are in [-1, 1], (N,).
        features: Euclidean distance in the judge's features, (N,).
    """

    pixels: Tensor
    features: Tensor

    @classmethod
    def of(
        cls, images: Tensor, reconstructions: Tensor, judge: nn.Module, device: torch.device
    ) -> Self:
        """The errors of reconstructions (N, C, H, W) of images of the same shape."""
        pixels = (images - reconstructions).flatten(1).square().mean(1).sqrt()
        apart = embed(judge, images, device) - embed(judge, reconstructions, device)
        return cls(pixels, apart.norm(dim=1))

    def beside(self, usual: Errors) -> Tensor:
        """The larger of both errors, each in multiples of its median over usual images, (N,)."""
        ratios = [
            error / other.median().clamp(min=torch.finfo(torch.float32).tiny)
            for error, other in zip(self, usual, strict=True)
        ]
        return torch.maximum(*ratios)


def limit_of(usual: Errors, share: float) -> float:
    """The error, as :meth:`Errors.beside` gives it, that this share of usual images stays within.

    Example:
        >>> errors = Errors(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 1.0]))
        >>> limit_of(errors, 1.0)
        1.5
    """
    return float(np.quantile(usual.beside(usual).numpy(), share))


def encode(decoder: nn.Module, images: Tensor, judge: nn.Module, run: RunParams) -> Tensor:
    """Latents of images (N, C, H, W) of any size, with one row an image; the same for a seed.

    The latents minimise the squared error of the pixels and that of the judge's features, each in
    multiples of its variance, with a mild pull to the usual norm of a normal latent: far from it,
    steps and distances mean something else.

    Args:
        decoder: Latents to images in [-1, 1], with gradients; ``latent_dim`` is their width, unless
            it has a method ``encode``.
        images: The images, in [-1, 1].
        judge: The judge, whose method ``embed`` gives features.
        run: Seed and device.
    """
    device = run.torch_device()
    decoder, judge = decoder.to(device).eval(), judge.to(device).eval()
    if len(images) == 0:
        return torch.zeros(0, int(getattr(decoder, "latent_dim", 1)))
    own: Callable[[Tensor], Tensor] | None = getattr(decoder, "encode", None)
    if own is not None:
        start = in_batches(own, images, device=device, batch_size=batch_size_of(decoder))
        samples = images
    else:
        random = run.generator("latents to learn encoding from")
        latents = torch.randn(_SAMPLES, int(decoder.latent_dim), generator=random)  # type: ignore[arg-type]
        samples = in_batches(decoder, latents, device=device)
        with run.global_seed("encoder"):
            encoder = _trained_encoder(decoder, latents, samples, random, device)
        start = in_batches(encoder, images, device=device)
    spread = _Spread.of(samples, embed(judge, samples, device))
    size = batch_size_with_gradients(decoder, images.shape, judge)
    refined: list[Tensor] = []
    for batch in zip(start.split(size), images.split(size), strict=True):
        began = time.perf_counter()
        refined.append(_refined(decoder, *batch, judge, spread, device))
        wait = (time.perf_counter() - began) / len(batch[0]) * len(images)
        # A single batch is at its end here.
        if len(refined) == 1 and len(batch[0]) < len(images):
            log_long_wait(logger, f"The encoding of {len(images)} images", wait)
    return torch.cat(refined)


class _Spread(NamedTuple):
    """The variance of pixels and features, by which errors are divided."""

    pixels: float
    features: float

    @classmethod
    def of(cls, images: Tensor, features: Tensor) -> Self:
        variances = (float(x.flatten(1).var(0, correction=0).mean()) for x in (images, features))
        # A single image does not vary.
        return cls(*(variance or 1.0 for variance in variances))


def _trained_encoder(
    decoder: nn.Module,
    latents: Tensor,
    samples: Tensor,
    random: torch.Generator,
    device: torch.device,
) -> nn.Module:
    """A network from images to latents, learnt from samples (M, C, H, W) of latents (M, Z)."""
    channels, width = samples.shape[1], latents.shape[1]
    encoder = _encoder(channels, width).to(device)
    variance = float(samples.var(0, correction=0).mean()) or 1.0
    optimiser = torch.optim.Adam(encoder.parameters(), lr=_ENCODER_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _ENCODER_STEPS)
    with torch.enable_grad():
        for _ in range(_ENCODER_STEPS):
            rows = torch.randint(len(latents), (_BATCH,), generator=random)
            images, wanted = samples[rows].to(device), latents[rows].to(device)
            guessed = encoder(images)
            again = decoder(guessed[:_DECODED_AGAIN])
            loss = F.mse_loss(guessed, wanted)
            loss = loss + F.mse_loss(again, images[:_DECODED_AGAIN]) / variance
            optimiser.zero_grad()
            # The decoder's weights need no gradients.
            loss.backward(inputs=list(encoder.parameters()))
            optimiser.step()
            schedule.step()
    return encoder.eval()


def _encoder(channels: int, width: int) -> nn.Module:
    """Images of any size to vectors of this width."""
    layers: list[nn.Module] = []
    for before, after in ((channels, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
    pooled = [nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64 * 16, 256), nn.ReLU()]
    return nn.Sequential(*layers, *pooled, nn.Linear(256, width))


def _refined(
    decoder: nn.Module,
    start: Tensor,
    images: Tensor,
    judge: nn.Module,
    spread: _Spread,
    device: torch.device,
) -> Tensor:
    """The best latents on the way of a few steps of Adam from the start; each image by itself."""
    images = images.to(device)
    wanted = embed(judge, images, device).to(device)
    latents = start.to(device).clone().requires_grad_(True)
    optimiser = torch.optim.Adam([latents], lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)
    best, best_loss = start.to(device), torch.full((len(start),), torch.inf, device=device)
    with torch.enable_grad():
        for _ in range(_STEPS):
            made = decoder(latents)
            losses = (made - images).flatten(1).square().mean(1) / spread.pixels
            if has_gradients(judge):
                apart = judge.embed(made) - wanted  # type: ignore[operator]
                losses = losses + _FEATURES * apart.square().mean(1) / spread.features
            norms = latents.flatten(1).square().mean(1)
            losses = losses + _SHELL * (norms - 1).square()
            better = losses.detach() < best_loss
            best_loss = torch.where(better, losses.detach(), best_loss)
            shape = (-1, *[1] * (latents.dim() - 1))
            best = torch.where(better.reshape(shape), latents.detach(), best)
            optimiser.zero_grad()
            losses.sum().backward(inputs=[latents])
            optimiser.step()
            schedule.step()
    return best.cpu()

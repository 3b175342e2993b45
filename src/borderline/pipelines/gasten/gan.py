"""A GAN in training: two networks, their optimisers and the random state."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.pipelines.gasten.gan_params import NETWORKS, GanParams, NetworkName
from borderline.pipelines.gasten.losses import build_loss
from borderline.pipelines.gasten.networks import ImageShape, are_finite, build_networks
from borderline.pipelines.gasten.trainee import Trainee


class Gan(Trainee):
    """A generator and a discriminator in training, for images of a shape (C, H, W)."""

    def __init__(self, params: GanParams, image_shape: ImageShape, run: RunParams) -> None:
        self.params = params
        self.image_shape = image_shape
        self.device = run.torch_device()
        self.loss = build_loss(params.loss, params.gradient_penalty)
        self.generator, self.discriminator = build_networks(params, image_shape, run)
        if params.compile:
            self.generator.compile()
            self.discriminator.compile()
        self.generator_optimiser = self._adam("generator")
        self.discriminator_optimiser = self._adam("discriminator")
        self.random = run.generator("gan", "training")
        self._bfloat16 = params.precision == "bfloat16" or (
            params.precision == "auto" and self.device.type == "cuda"
        )

    def generate(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, Z) to float32 images (N, C, H, W), in the set precision."""
        with self._autocast():
            images: Tensor = self.generator(latents)
        return images.float()

    def discriminate(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to float32 logits (N,), in the set precision."""
        with self._autocast():
            logits: Tensor = self.discriminator(images)
        return logits.float()

    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state; the optimisers keep the rates of the settings."""
        super().load(state)
        for name in NETWORKS:
            network = self.params.network(name)
            for group in getattr(self, f"{name}_optimiser").param_groups:
                group |= {"lr": network.learning_rate, "betas": network.betas}

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        return are_finite(self.generator, self.discriminator)

    def _adam(self, name: NetworkName) -> torch.optim.Optimizer:
        network: nn.Module = getattr(self, name)
        settings, fused = self.params.network(name), self.device.type in ("cpu", "cuda")
        return torch.optim.Adam(
            network.parameters(), lr=settings.learning_rate, betas=settings.betas, fused=fused
        )

    def _autocast(self) -> AbstractContextManager[Any]:
        if not self._bfloat16:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _components(self) -> dict[str, Any]:
        names = ("generator", "discriminator", "generator_optimiser", "discriminator_optimiser")
        return {name: getattr(self, name) for name in names}

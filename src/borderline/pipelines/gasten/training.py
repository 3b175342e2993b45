"""GAN training that streams a checkpoint an epoch, and goes on from any of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, check_settings, latest
from borderline.errors import BorderlineError
from borderline.params import RunParams, Setting
from borderline.pipelines.gasten.losses import discriminator_loss, generator_loss
from borderline.pipelines.gasten.networks import Discriminator, Generator
from borderline.pipelines.gasten.params import GanParams

# Radford et al. 2016.
_BETAS = (0.5, 0.999)

ConfusionTerm = Callable[[Tensor], Tensor]
"""Takes generated images (N, C, H, W), returns what is added to the generator's loss, a scalar."""


@dataclass
class Gan:
    """A generator and a discriminator in training."""

    generator: Generator
    discriminator: Discriminator
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    random: torch.Generator

    @classmethod
    def build(cls, params: GanParams, image_shape: tuple[int, ...], run: RunParams) -> Gan:
        """A fresh GAN with the run's initial weights, on the run's device.

        Args:
            params: Sizes and learning rate.
            image_shape: Channels, height and width.
            run: Seed and device.
        """
        channels, size, _ = image_shape
        with run.global_seed("gan", "weights"):
            generator = build_generator(params, image_shape)
            discriminator = Discriminator(
                filters=params.filters, channels=channels, image_size=size
            )
        device = run.torch_device()
        generator, discriminator = generator.to(device), discriminator.to(device)

        def adam(network: nn.Module) -> torch.optim.Optimizer:
            return torch.optim.Adam(network.parameters(), lr=params.learning_rate, betas=_BETAS)

        return cls(
            generator=generator,
            discriminator=discriminator,
            generator_optimiser=adam(generator),
            discriminator_optimiser=adam(discriminator),
            random=run.generator("gan", "training"),
        )

    def state(self) -> dict[str, Any]:
        """A copy of all that training changes."""
        return {
            **{name: copy.deepcopy(part.state_dict()) for name, part in self._parts().items()},
            "random": self.random.get_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.random.set_state(state["random"])

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimiser": self.generator_optimiser,
            "discriminator_optimiser": self.discriminator_optimiser,
        }


def build_generator(params: GanParams, image_shape: tuple[int, ...]) -> Generator:
    """The generator of a GAN.

    Args:
        params: Sizes.
        image_shape: Channels, height and width.
    """
    channels, size, _ = image_shape
    return Generator(
        latent_dim=params.latent_dim, filters=params.filters, channels=channels, image_size=size
    )


def train(
    gan: Gan,
    images: Tensor,
    *,
    params: GanParams,
    epochs: int,
    settings: dict[str, Setting],
    so_far: Checkpoints,
    confusion_term: ConfusionTerm | None = None,
    measure: Callable[[Generator], dict[str, float]] | None = None,
) -> Iterator[Checkpoint]:
    """Train a GAN and yield a checkpoint after each epoch.

    A training that was stopped goes on after its last checkpoint and ends with the same bits (on
    the CPU); its last checkpoint is yielded again first, so that a finished one still has output.

    Args:
        gan: The GAN, in the state that the training starts from; trained in place.
        images: Real images in [-1, 1], shape (N, C, H, W), N at least 2.
        params: Batch size and length of an epoch.
        epochs: Epochs to train.
        settings: The fingerprint of the training.
        so_far: The checkpoints that are there already.
        confusion_term: What is added to the generator's loss.
        measure: Takes the generator after an epoch, returns further figures for the history.

    Yields:
        Checkpoints whose history has ``generator_loss`` (with the confusion term),
        ``discriminator_loss`` and what ``measure`` returns.

    Raises:
        BorderlineError: When the checkpoints were made with other settings, or when a loss is no
            longer finite.
    """
    device = next(gan.generator.parameters()).device
    images = images.to(device)
    history: list[dict[str, float]] = []
    epoch = 0
    checkpoint = latest(so_far, epochs)
    if checkpoint is not None:
        check_settings(checkpoint, settings)
        gan.load(checkpoint["state"])
        history, epoch = checkpoint["history"], checkpoint["epoch"]
        yield checkpoint
    while epoch < epochs:
        epoch += 1
        row = {"epoch": epoch, **_train_epoch(gan, images, params, confusion_term)}
        if not math.isfinite(row["generator_loss"] + row["discriminator_loss"]):
            raise BorderlineError(
                f"The GAN's loss is no longer a finite number in epoch {epoch} with "
                f"gan.learning_rate {params.learning_rate}: lower it, and keep the checkpoints "
                "before this epoch."
            )
        gan.generator.eval()
        row |= measure(gan.generator) if measure else {}
        history = [*history, row]
        yield Checkpoint(
            epoch=epoch,
            settings=settings,
            history=history,
            state={**gan.state(), "image_shape": list(images.shape[1:])},
        )


def _train_epoch(
    gan: Gan, images: Tensor, params: GanParams, confusion_term: ConfusionTerm | None
) -> dict[str, float]:
    gan.generator.train()
    gan.discriminator.train()
    totals = torch.zeros(2, device=images.device)
    steps = 0
    for batch in _batches(len(images), params, gan.random):
        latents = torch.randn(len(batch), params.latent_dim, generator=gan.random)
        totals += _train_step(
            gan, images[batch.to(images.device)], latents.to(images.device), confusion_term
        )
        steps += 1
    generator_mean, discriminator_mean = (totals / steps).tolist()
    return {"generator_loss": generator_mean, "discriminator_loss": discriminator_mean}


def _batches(n_images: int, params: GanParams, random: torch.Generator) -> Iterator[Tensor]:
    size = min(params.batch_size, n_images)
    per_pass = n_images // size
    for step in range(params.steps_per_epoch or per_pass):
        if step % per_pass == 0:
            order = torch.randperm(n_images, generator=random)
        yield order[step % per_pass * size :][:size]


def _train_step(
    gan: Gan, real: Tensor, latents: Tensor, confusion_term: ConfusionTerm | None
) -> Tensor:
    """One step of the discriminator and one of the generator on the same generated images."""
    fake = gan.generator(latents)
    loss_d = discriminator_loss(gan.discriminator(real), gan.discriminator(fake.detach()))
    gan.discriminator_optimiser.zero_grad(set_to_none=True)
    loss_d.backward()
    gan.discriminator_optimiser.step()

    with _frozen(gan.discriminator):
        loss_g = generator_loss(gan.discriminator(fake))
        if confusion_term is not None:
            loss_g = loss_g + confusion_term(fake)
        gan.generator_optimiser.zero_grad(set_to_none=True)
        loss_g.backward()
    gan.generator_optimiser.step()
    return torch.stack([loss_g.detach(), loss_d.detach()])


class _frozen:  # noqa: N801
    """Spares the backward pass the gradients of a network's own weights."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __enter__(self) -> None:
        self.network.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        self.network.requires_grad_(True)

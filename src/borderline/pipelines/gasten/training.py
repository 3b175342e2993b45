"""GAN training that streams a checkpoint an epoch, and goes on from any of them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, check_settings, latest
from borderline.params import RunParams, Setting
from borderline.pipelines.gasten.confusion_terms import TERMS
from borderline.pipelines.gasten.early_stopping import has_stopped
from borderline.pipelines.gasten.losses import GanLoss, build_loss
from borderline.pipelines.gasten.mgda import common_gradient
from borderline.pipelines.gasten.networks import (
    Discriminator,
    Generator,
    ImageShape,
    build_networks,
)
from borderline.pipelines.gasten.params import EarlyStoppingParams, GanParams

# Radford et al. 2016.
_BETAS = (0.5, 0.999)
# Teixeira et al. 2024: both steps of the two-step form are clipped at this norm.
_CLIP = 0.5


@dataclass(frozen=True)
class Steering:
    """How step 2 pulls the generator to the boundary.

    Attributes:
        classifier: The model under test: images (N, C, H, W) to logits (N,); its weights frozen.
        term: A name of ``TERMS``, or ``mgda``, ``mgda_norm`` (the ``gasten`` term and the GAN's
            loss at once), or ``gaussian_two_step`` (a confusion step, then a GAN step).
        alpha: Weight of the term in the first epoch; without meaning for MGDA.
        growth: What the weight is multiplied with from epoch to epoch.
        real_rows: Rows of the real images that are borderline, or None.
        real_share: The share of each real batch that is drawn from them.
    """

    classifier: nn.Module
    term: str
    alpha: float = 1.0
    growth: float = 1.0
    real_rows: Tensor | None = None
    real_share: float = 0.0


class Progress(NamedTuple):
    """What a training yields after each epoch.

    Attributes:
        history: One row an epoch so far; the last one has a loss that is not finite when the
            training has diverged.
        checkpoint: The epoch's checkpoint; None between two checkpoints, and after a divergence.
    """

    history: list[dict[str, float]]
    checkpoint: Checkpoint | None


class Gan:
    """A generator and a discriminator in training.

    Args:
        params: Architecture, sizes, losses and learning rate.
        image_shape: Channels, height and width.
        run: Seed and device.
    """

    def __init__(self, params: GanParams, image_shape: ImageShape, run: RunParams) -> None:
        self.params = params
        self.image_shape = image_shape
        self.device = run.torch_device()
        self.loss: GanLoss = build_loss(params.loss, params.gradient_penalty)
        self.generator: Generator
        self.discriminator: Discriminator
        self.generator, self.discriminator = build_networks(params, image_shape, run)
        if params.compile:
            self.generator.compile()
            self.discriminator.compile()
        self.generator_optimiser = self._adam(self.generator)
        self.discriminator_optimiser = self._adam(self.discriminator)
        self.random = run.generator("gan", "training")
        self._bfloat16 = params.precision == "bfloat16" or (
            params.precision == "auto" and self.device.type == "cuda"
        )

    def generate(self, latents: Tensor) -> Tensor:
        """Latent vectors (N, Z) to float32 images (N, C, H, W), in the set precision."""
        with self._autocast():
            images: Tensor = self.generator(latents)
        return images.float()

    def judge(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to float32 logits (N,), in the set precision."""
        with self._autocast():
            logits: Tensor = self.discriminator(images)
        return logits.float()

    def state(self) -> dict[str, Any]:
        """A copy of all that training changes."""
        return {
            **{name: copy.deepcopy(part.state_dict()) for name, part in self._parts().items()},
            "random": self.random.get_state(),
            "image_shape": list(self.image_shape),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        for name, part in self._parts().items():
            # A copy, for an optimiser goes on in the very tensors that it is given.
            part.load_state_dict(copy.deepcopy(state[name]))
        for optimiser in (self.generator_optimiser, self.discriminator_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = self.params.learning_rate
        self.random.set_state(state["random"])

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        networks = (self.generator, self.discriminator)
        weights = [w for network in networks for w in network.state_dict().values()]
        return bool(torch.stack([torch.isfinite(w).all() for w in weights]).all())

    def _adam(self, network: nn.Module) -> torch.optim.Optimizer:
        fused = self.device.type in ("cpu", "cuda")
        return torch.optim.Adam(
            network.parameters(), lr=self.params.learning_rate, betas=_BETAS, fused=fused
        )

    def _autocast(self) -> AbstractContextManager[Any]:
        if not self._bfloat16:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimiser": self.generator_optimiser,
            "discriminator_optimiser": self.discriminator_optimiser,
        }


def train(
    gan: Gan,
    images: Tensor,
    *,
    epochs: int,
    settings: dict[str, Setting],
    so_far: Checkpoints,
    measure: Callable[[Generator], dict[str, float]],
    steering: Steering | None = None,
    early_stopping: EarlyStoppingParams | None = None,
) -> Iterator[Progress]:
    """Train a GAN and yield its progress after each epoch.

    A training that was stopped goes on after its last checkpoint and ends with the same bits (on
    the CPU); its last checkpoint is yielded again first, so that a finished one still has output.
    With a steering, what it starts from is measured and yielded as epoch 0, so that a training
    which diverges at once still has a good checkpoint.

    Args:
        gan: The GAN, in the state that the training starts from; trained in place.
        images: Real images in [-1, 1], shape (N, C, H, W), N at least 2.
        epochs: Epochs to train.
        settings: The fingerprint of the training.
        so_far: The checkpoints that are there already.
        measure: Takes the generator after an epoch, returns further figures for the history.
        steering: How the generator is pulled to the boundary; None for the plain GAN.
        early_stopping: When to stop before the last epoch.

    Yields:
        The progress. A row of the history has ``seconds``, the mean of ``generator_loss`` (the
        GAN's part of it), ``discriminator_loss`` and, with a steering, ``confusion_loss`` (the
        term without its weight), and what ``measure`` returns. A loss or weight that is no longer
        finite ends the training with a row and no checkpoint.

    Raises:
        BorderlineError: When the checkpoints were made with other settings.
    """
    images = images.to(gan.device)
    history: list[dict[str, float]] = []
    epoch = 0
    checkpoint = latest(so_far, epochs)
    if checkpoint is not None:
        check_settings(checkpoint, settings)
        gan.load(checkpoint["state"])
        history, epoch = checkpoint["history"], checkpoint["epoch"]
        yield Progress(history, checkpoint)
    elif steering is not None:
        history = [{"epoch": 0, "seconds": 0.0, **measure(gan.generator.eval())}]
        yield Progress(history, _checkpoint(gan, 0, settings, history))
    while epoch < epochs and not has_stopped(history, early_stopping):
        epoch += 1
        started = time.perf_counter()
        losses = _train_epoch(gan, images, epoch, steering)
        row = {"epoch": epoch, "seconds": time.perf_counter() - started, **losses}
        if not (all(map(math.isfinite, losses.values())) and gan.is_finite()):
            yield Progress([*history, row], None)
            return
        history = [*history, row | measure(gan.generator.eval())]
        last = epoch == epochs or has_stopped(history, early_stopping)
        if last or epoch % gan.params.checkpoint_every == 0:
            yield Progress(history, _checkpoint(gan, epoch, settings, history))
        else:
            yield Progress(history, None)


def _checkpoint(
    gan: Gan, epoch: int, settings: dict[str, Setting], history: list[dict[str, float]]
) -> Checkpoint:
    return Checkpoint(epoch=epoch, settings=settings, history=history, state=gan.state())


def _train_epoch(
    gan: Gan, images: Tensor, epoch: int, steering: Steering | None
) -> dict[str, float]:
    gan.generator.train()
    gan.discriminator.train()
    # Summed on the device: a figure read in every step would make it wait for the device.
    discriminator_total = torch.zeros((), device=images.device)
    generator_total = torch.zeros(2, device=images.device)
    batches = list(_batches(len(images), gan.params, gan.random))
    generator_steps = 0
    for step, batch in enumerate(batches, start=1):
        real = images[_with_borderline(batch, steering, gan.random).to(images.device)]
        latents = _draw(gan, len(batch))
        if step % gan.params.disc_iters and step < len(batches):
            with torch.no_grad():
                fake = gan.generate(latents)
            discriminator_total += _discriminator_step(gan, real, fake)
            continue
        # Both networks learn from the same generated images, which are made once.
        fake = gan.generate(latents)
        discriminator_total += _discriminator_step(gan, real, fake.detach())
        generator_total += _generator_step(gan, latents, fake, steering, epoch)
        generator_steps += 1
    generator_loss, confusion_loss = (generator_total / generator_steps).tolist()
    losses = {
        "generator_loss": generator_loss,
        "discriminator_loss": (discriminator_total / len(batches)).item(),
    }
    return losses if steering is None else {**losses, "confusion_loss": confusion_loss}


def _batches(n_images: int, params: GanParams, random: torch.Generator) -> Iterator[Tensor]:
    size = min(params.batch_size, n_images)
    per_pass = n_images // size
    for step in range(params.steps_per_epoch or per_pass):
        if step % per_pass == 0:
            order = torch.randperm(n_images, generator=random)
        yield order[step % per_pass * size :][:size]


def _with_borderline(batch: Tensor, steering: Steering | None, random: torch.Generator) -> Tensor:
    if steering is None or steering.real_rows is None:
        return batch
    drawn = round(steering.real_share * len(batch))
    chosen = torch.randint(len(steering.real_rows), (drawn,), generator=random)
    return torch.cat([steering.real_rows[chosen], batch[drawn:]])


def _draw(gan: Gan, count: int) -> Tensor:
    return torch.randn(count, gan.params.latent_dim, generator=gan.random).to(gan.device)


def _discriminator_step(gan: Gan, real: Tensor, fake: Tensor) -> Tensor:
    loss = gan.loss.discriminator(gan.judge, real, fake, gan.random)
    gan.discriminator_optimiser.zero_grad(set_to_none=True)
    loss.backward()
    gan.discriminator_optimiser.step()
    return loss.detach()


def _generator_step(
    gan: Gan, latents: Tensor, fake: Tensor, steering: Steering | None, epoch: int
) -> Tensor:
    """One step of the generator; returns its GAN loss and the confusion term, shape (2,)."""
    parameters = list(gan.generator.parameters())
    gan.generator_optimiser.zero_grad(set_to_none=True)
    # Its weights need no gradients here, which spares a third of the discriminator's work.
    gan.discriminator.requires_grad_(False)
    if steering is None:
        loss = gan.loss.generator(gan.judge(fake))
        confusion = torch.zeros_like(loss)
        loss.backward()
    elif steering.term in ("mgda", "mgda_norm"):
        loss = gan.loss.generator(gan.judge(fake))
        confusion = TERMS["gasten"](steering.classifier(fake))
        normalise = steering.term == "mgda_norm"
        gradient = common_gradient(loss, confusion, parameters, normalise=normalise)
        for parameter, g in zip(parameters, gradient, strict=True):
            parameter.grad = g
    elif steering.term == "gaussian_two_step":
        alpha = steering.alpha * steering.growth ** (epoch - 1)
        confusion = TERMS["gaussian"](steering.classifier(fake))
        (alpha * confusion).backward()
        nn.utils.clip_grad_norm_(parameters, _CLIP * alpha)
        gan.generator_optimiser.step()
        gan.generator_optimiser.zero_grad(set_to_none=True)
        # The step above has changed the generator, so its images are made anew.
        loss = gan.loss.generator(gan.judge(gan.generate(latents)))
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, _CLIP)
    else:
        alpha = steering.alpha * steering.growth ** (epoch - 1)
        loss = gan.loss.generator(gan.judge(fake))
        confusion = TERMS[steering.term](steering.classifier(fake))
        (loss + alpha * confusion).backward()
    gan.generator_optimiser.step()
    gan.discriminator.requires_grad_(True)
    return torch.stack([loss.detach(), confusion.detach()])

"""One epoch of GAN training, plain or steered to the decision boundary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from borderline.boundary import Boundary, formula_of_band
from borderline.errors import BorderlineError
from borderline.measures.confusion import is_borderline
from borderline.pipelines.gasten.confusion_term import ConfusionTerm
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.gan_params import GanParams


@dataclass(frozen=True)
class Steering:
    """How step 2 pulls the generator to the boundary.

    Attributes:
        classifier: The model under test: images (N, C, H, W) to logits (N,); its weights frozen.
        alpha: Weight of the term in the first epoch.
        growth: Factor of the weight from epoch to epoch.
        real_rows: Rows of the real images that are borderline, or None.
        real_share: The share of each real batch that is drawn from them.
    """

    classifier: nn.Module
    term: ConfusionTerm
    alpha: float = 1.0
    growth: float = 1.0
    real_rows: Tensor | None = None
    real_share: float = 0.0


def borderline_rows(p: Tensor, boundary: Boundary) -> Tensor:
    """Rows (n,) of the borderline among the real training images, from their p (N,).

    Raises:
        BorderlineError: When there are none.
    """
    rows = is_borderline(p, boundary).nonzero()[:, 0]
    if len(rows) == 0:
        raise BorderlineError(
            f"real_borderline needs real images with {formula_of_band(boundary)}, but the training "
            "set has none: set it to 0, or widen confusion.band."
        )
    return rows


def train_epoch(
    gan: Gan, images: Tensor, epoch: int, steering: Steering | None = None
) -> dict[str, float]:
    """Train both networks for an epoch (from 1), in place.

    The real images (N, C, H, W) in [-1, 1] are on the device of the GAN. Returns the means of
    ``generator_loss`` (the GAN's part of it), ``discriminator_loss`` and, with a steering,
    ``confusion_loss`` (the term without its weight), and those of the ``history_columns`` of the
    GAN's loss and of the term.
    """
    gan.generator.train()
    gan.discriminator.train()
    of_discriminator = ("discriminator_loss", *gan.loss.history_columns)
    of_term = () if steering is None else ("confusion_loss", *steering.term.history_columns)
    of_generator = ("generator_loss", *of_term)
    # Summed on the device: reading a loss in every step would make the CPU wait for it.
    discriminator_total = torch.zeros(len(of_discriminator), device=images.device)
    generator_total = torch.zeros(len(of_generator), device=images.device)
    batches = list(_batches(len(images), gan.params, gan.random))
    generator_steps = 0
    for step, batch in enumerate(batches, start=1):
        real = images[_with_borderline(batch, steering, gan.random).to(images.device)]
        latents = torch.randn(len(batch), gan.params.latent_dim, generator=gan.random)
        latents = latents.to(gan.device)
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
    means = (generator_total / generator_steps).tolist()
    discriminator_means = (discriminator_total / len(batches)).tolist()
    return {
        "generator_loss": means[0],
        **dict(zip(of_discriminator, discriminator_means, strict=True)),
        **dict(zip(of_term, means[1:], strict=True)),
    }


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


def _discriminator_step(gan: Gan, real: Tensor, fake: Tensor) -> Tensor:
    """One step of the discriminator; returns its loss and the scalars beside it, a vector."""
    loss, *more = gan.loss.discriminator(gan.discriminate, real, fake, gan.random)
    gan.discriminator_optimiser.zero_grad(set_to_none=True)
    loss.backward()
    gan.discriminator_optimiser.step()
    return torch.stack([loss, *more]).detach()


def _generator_step(
    gan: Gan, latents: Tensor, fake: Tensor, steering: Steering | None, epoch: int
) -> Tensor:
    """One step of the generator; returns its GAN loss and, with a steering, those of the term."""
    gan.generator_optimiser.zero_grad(set_to_none=True)
    # Its weights need no gradients here, which saves a third of the discriminator's work.
    gan.discriminator.requires_grad_(False)
    if steering is None:
        scalars: tuple[Tensor, ...] = (gan.loss.generator(gan.discriminate(fake)),)
        scalars[0].backward()
    else:
        alpha = steering.alpha * steering.growth ** (epoch - 1)
        scalars = steering.term.step(gan, steering.classifier, latents, fake, alpha)
    gan.generator_optimiser.step()
    gan.discriminator.requires_grad_(True)
    return torch.stack(scalars).detach()

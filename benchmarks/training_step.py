"""Our step 2 against a plain one that does what the reference does.

The plain step makes fresh images for the discriminator, computes the discriminator's gradients in
the generator's step too, and for MGDA runs three forward and three backward passes. Both have the
paper's networks and batch size, and train on the same real digits against the same model.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from common import RUN, gan_params, in_turns, machine, real_images, trained_model
from torch import Tensor, nn

from borderline.datasets.image_source import ImageSource
from borderline.params import PairParams
from borderline.pipelines.gasten.epoch import Steering, train_epoch
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.gan_params import GanParams
from borderline.pipelines.gasten.mgda import min_norm_weight
from borderline.pipelines.gasten.terms import TERMS

STEPS = 12
ROUNDS = 9
ALPHA = 25.0


class PlainGan:
    """The reference's way of training, with PyTorch's defaults."""

    def __init__(self, params: GanParams, images: Tensor, classifier: nn.Module) -> None:
        gan = Gan(params, images.shape[1:], RUN)
        self.generator = gan.generator.to(memory_format=torch.contiguous_format)
        self.discriminator = gan.discriminator.to(memory_format=torch.contiguous_format)
        self.loss = gan.loss
        self.images, self.classifier, self.params = images, classifier, params
        self.optimisers = [
            torch.optim.Adam(network.parameters(), lr=params.learning_rate, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]

    def step(self, update: Callable[[], None]) -> None:
        """A discriminator step, then a generator step."""
        real = self.images[torch.randperm(len(self.images))[: self.params.batch_size]]
        self.optimisers[1].zero_grad()
        fake = self.generator(self._latents()).detach()
        loss, *_ = self.loss.discriminator(self.discriminator, real, fake, torch.Generator())
        loss.backward()
        self.optimisers[1].step()
        update()
        self.optimisers[0].step()
        loss.item()  # the reference logs it in every step

    def gasten(self) -> None:
        """The weighted sum."""
        self.optimisers[0].zero_grad()
        fake = self.generator(self._latents())
        loss = self.loss.generator(self.discriminator(fake))
        (loss + ALPHA * TERMS["gasten"].loss(self.classifier(fake))).backward()

    def mgda(self) -> None:
        """A pass for each gradient, and one along their combination."""
        latents, parameters = self._latents(), list(self.generator.parameters())
        gradients = []
        for loss in (self._gan_loss, self._confusion_loss):
            self.optimisers[0].zero_grad()
            loss(latents).backward()
            gradients.append([p.grad.clone() for p in parameters if p.grad is not None])
        gamma = min_norm_weight(*gradients)
        self.optimisers[0].zero_grad()
        fake = self.generator(latents)
        loss = self.loss.generator(self.discriminator(fake))
        (gamma * loss + (1 - gamma) * TERMS["gasten"].loss(self.classifier(fake))).backward()

    def _gan_loss(self, latents: Tensor) -> Tensor:
        return self.loss.generator(self.discriminator(self.generator(latents)))

    def _confusion_loss(self, latents: Tensor) -> Tensor:
        return TERMS["gasten"].loss(self.classifier(self.generator(latents)))

    def _latents(self) -> Tensor:
        latents = torch.randn(self.params.batch_size, self.params.latent_dim)
        return latents.to(self.images.device)


def main() -> None:
    """Print a ratio for each term."""
    pair = PairParams(positive=7, negative=1, test_share=0.2)
    _, pair_images = real_images(ImageSource(kind="mnist_sample"), pair)
    classifier = trained_model(pair_images)
    params = gan_params("paper", steps_per_epoch=STEPS)
    images = pair_images["images"].to(RUN.torch_device())
    print(machine())
    for term in ("gasten", "mgda"):
        gan, plain = Gan(params, images.shape[1:], RUN), PlainGan(params, images, classifier)
        steering = Steering(classifier=classifier, term=TERMS[term], alpha=ALPHA)
        update = getattr(plain, term)

        def ours(gan: Gan = gan, steering: Steering = steering) -> None:
            train_epoch(gan, images, 1, steering)

        def theirs(plain: PlainGan = plain, update: Callable[[], None] = update) -> None:
            for _ in range(STEPS):
                plain.step(update)

        a, b, ratio = in_turns(ours, theirs, ROUNDS)
        print(f"{term}: {1000 * a / STEPS:.1f} ms a step, plain {1000 * b / STEPS:.1f} ms")
        print(f"ratio training_step_{term}: {ratio:.2f}")


if __name__ == "__main__":
    main()

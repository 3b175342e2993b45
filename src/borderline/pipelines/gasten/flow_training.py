"""The training of a flow: rectified flow (Liu et al. 2023), flow matching (Lipman et al. 2023).

A point between noise and an image, on the straight line that joins the two, has the velocity
``image - noise``. The network learns the mean velocity of all lines through a point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from borderline.datasets.checkpoints import Checkpoints
from borderline.datasets.tensors import digest
from borderline.params import RunParams, Setting
from borderline.pipelines.gasten.flow import Decoder, Velocity, build_decoder, padded
from borderline.pipelines.gasten.networks import ImageShape, are_finite
from borderline.pipelines.gasten.params import DiffusionParams
from borderline.pipelines.gasten.trainee import Trainee
from borderline.pipelines.gasten.training import Progress, run_epochs
from borderline.records import LabelledImages

Weights = tuple[Tensor, ...] | list[Tensor]

_LARGEST_GRADIENT = 1.0
# Adam's second moment follows the gradients of a short training.
_BETAS = (0.9, 0.99)


class Flow(Trainee):
    """A flow in training, for images of a shape (C, H, W).

    Attributes:
        generator: The decoder with the averaged weights.
        network: The velocity with the weights that the optimiser changes.
    """

    def __init__(self, params: DiffusionParams, image_shape: ImageShape, run: RunParams) -> None:
        self.params, self.image_shape = params, tuple(image_shape)
        self.device = run.torch_device()
        with run.global_seed("flow", "weights"):
            self.generator = build_decoder(params, self.image_shape).to(self.device)
        self.network = self.generator.velocity
        self._average = averaged(self.network, params.average)
        self.generator.velocity = cast(Velocity, self._average.module)
        self._optimiser = torch.optim.Adam(
            self.network.parameters(),
            lr=params.learning_rate,
            betas=_BETAS,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self.random = run.generator("flow", "training")

    def draw_noise(self, count: int, run: RunParams) -> Tensor:
        """The fixed latents (N, Z) that all epochs are measured on."""
        random = run.generator("test noise", "flow")
        return torch.randn(count, self.generator.latent_dim, generator=random)

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Train with a batch of images (N, C, H, W) of the classes 0 and 1 (N,); the loss."""
        noise = torch.randn(images.shape, generator=self.random).to(self.device)
        times = torch.rand(len(images), generator=self.random).to(self.device)
        shares = _shares(labels, self.params.unlabelled, self.random).to(self.device)
        points = torch.lerp(noise, images, times[:, None, None, None])
        error = self.network(points, times, shares) - (images - noise)
        loss: Tensor = error.square().mean()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self._optimiser.step()
        self._average.update_parameters(self.network)
        return loss.detach()

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        return are_finite(self.network)

    def _components(self) -> dict[str, Any]:
        return {"network": self.network, "average": self._average, "optimiser": self._optimiser}


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of the weights of a network.

    The first steps have a lower decay rate, so that the average soon forgets the initial weights.
    """

    def update(average: Weights, present: Weights, steps: Tensor | int) -> None:
        rate = min(decay, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(average, present, 1 - rate)

    return AveragedModel(network, multi_avg_fn=update)


def trained_decoder(params: DiffusionParams, state: dict[str, Any]) -> Decoder:
    """The decoder of a checkpoint's state, for evaluation."""
    decoder = build_decoder(params, tuple(state["image_shape"]))
    average = averaged(decoder.velocity, params.average)
    average.load_state_dict(state["average"])
    decoder.velocity = cast(Velocity, average.module)
    return decoder.eval()


def train(
    flow: Flow,
    images: LabelledImages,
    *,
    settings: dict[str, Setting],
    so_far: Checkpoints,
    measure: Callable[[nn.Module], dict[str, float]],
) -> Iterator[Progress]:
    """Train a flow in place with the training images of the pair; see ``training.run_epochs``."""
    there = images["images"].to(flow.device), images["labels"].to(flow.device)
    return run_epochs(
        flow,
        lambda _: train_epoch(flow, *there),
        epochs=flow.params.epochs,
        settings=settings | {"images digest": digest(images["images"])},
        so_far=so_far,
        measure=measure,
        early_stopping=flow.params.early_stopping,
    )


def train_epoch(flow: Flow, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Train a flow in place for an epoch; the mean of ``flow_loss``.

    The images (N, C, H, W) in [-1, 1] and their classes 0 and 1 (N,) are on its device. Batches
    have as many images of one class as of the other on average, as its latents do.
    """
    flow.network.train()
    images = padded(images, flow.network.multiple)
    size = min(flow.params.batch_size, len(images))
    steps = flow.params.steps_per_epoch or len(images) // size
    weights = (1 / torch.bincount(labels, minlength=2).double())[labels].cpu()
    # Summed on the device: reading a loss in every step would make the CPU wait for it.
    total = torch.zeros((), device=images.device)
    for _ in range(steps):
        drawn = torch.multinomial(weights, size, replacement=True, generator=flow.random)
        rows = drawn.to(images.device)
        total += flow.step(images[rows], labels[rows])
    return {"flow_loss": total.item() / steps}


def _shares(labels: Tensor, unlabelled: float, random: torch.Generator) -> Tensor:
    """The shares of the positive class that the network is told, (N,).

    An image in doubt of class 1 gets a share with the density 2s, one of class 0 with 2(1 - s): of
    the images with a share s of a balanced pair, s are positive. So the network knows every share.
    """
    classes = labels.cpu().float()
    doubt = torch.rand(len(classes), generator=random) < unlabelled
    drawn = torch.rand(len(classes), generator=random).sqrt()
    return torch.where(doubt, torch.where(classes > 0, drawn, 1 - drawn), classes)

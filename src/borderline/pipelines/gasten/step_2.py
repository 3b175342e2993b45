"""Step 2 before its first epoch: its GAN, its steering and its fingerprint."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, Checkpoints
from borderline.datasets.tensors import digest_of_weights
from borderline.errors import BorderlineError
from borderline.measures.confusion import is_borderline
from borderline.params import ConfusionParams, RunParams, Setting
from borderline.pipelines.gasten.checkpoint_choice import starting_checkpoint
from borderline.pipelines.gasten.epoch import Steering
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.kinds.gasten import Settings
from borderline.pipelines.gasten.networks import ImageShape
from borderline.pipelines.gasten.params import GanParams
from borderline.pipelines.gasten.terms import TERMS


def starting_gan(
    checkpoints: Checkpoints, generator: Settings, gan: GanParams, shape: ImageShape, run: RunParams
) -> tuple[Gan, Checkpoint]:
    """The GAN of a checkpoint of step 1 with a new random state, and the checkpoint."""
    assert not isinstance(generator.start, tuple), "the grid takes lists apart"
    start = starting_checkpoint(checkpoints, generator.start, gan)
    network = Gan(gan, shape, run)
    network.load(start["state"])
    # Not the state of step 1, which repetitions may have in common.
    network.random = run.generator("gan", "step 2")
    return network, start


def steering(
    classifier: nn.Module,
    train_p: Tensor,
    generator: Settings,
    confusion: ConfusionParams,
    run: RunParams,
) -> Steering:
    """The steering by a frozen copy of the model under test.

    Args:
        classifier: The model: images (N, C, H, W) to logits (N,).
        train_p: Its p of the real training images, shape (N,).
        generator: The term, its weight, and the share of real borderline images.
        confusion: The band.
        run: The device.
    """
    share = generator.real_borderline
    return Steering(
        classifier=copy.deepcopy(classifier).to(run.torch_device()).eval().requires_grad_(False),
        term=TERMS[generator.term],
        alpha=generator.alpha or 0.0,
        growth=generator.alpha_growth,
        real_rows=borderline_rows(train_p, confusion) if share else None,
        real_share=share,
    )


def fingerprint(
    start: Checkpoint,
    gan: Gan,
    classifier: nn.Module,
    generator: Settings,
    confusion: ConfusionParams,
) -> dict[str, Setting]:
    """The fingerprint of step 2 with digests of its inputs, before its first epoch."""
    model: dict[str, Setting] = getattr(classifier, "settings", {})
    return {
        **generator.training_settings(
            start["settings"], model, gan.params, confusion, start["epoch"]
        ),
        "step 1 digest": digest_of_weights(gan.generator),
        "classifier digest": digest_of_weights(classifier),
    }


def borderline_rows(p: Tensor, confusion: ConfusionParams) -> Tensor:
    """Rows (n,) of the borderline among the real training images, from their p (N,).

    Raises:
        BorderlineError: When there are none.
    """
    rows = is_borderline(p, confusion.band).nonzero()[:, 0]
    if len(rows) == 0:
        raise BorderlineError(
            f"real_borderline needs real images with |p - 0.5| < {confusion.band}, but the "
            "training set has none: set it to 0, or widen confusion.band."
        )
    return rows

"""A check that the memory can hold the weights of a GAN for images of the source's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline.datasets.limits import gigabytes, memory
from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

    from borderline.datasets.image_source import SourceImages
    from borderline.pipelines.gasten.gan_params import GanParams

# A weight, its gradient and both moments of Adam, as float32.
_BYTES_OF_A_WEIGHT = 16


def check_gan_weights(pipeline: Pipeline, source: SourceImages, gan: GanParams) -> None:
    """Make sure that the memory can hold the GAN's weights while a pipeline trains it.

    The DCGAN doubles its filters with each halving of the longer side, so that long images make it
    large.

    Raises:
        BorderlineError: When it cannot.
    """
    if not any(name.endswith(".checkpoints") for name in pipeline.all_outputs()):
        return
    channels, height, width = source.train["images"].shape[1:]
    needed, there = _BYTES_OF_A_WEIGHT * weights_of(gan, (channels, height, width)), memory()
    if needed <= there:
        return
    way_out = (
        "set gan.filters lower, gan.architecture to 'resnet', or source.size smaller"
        if gan.architecture == "dcgan"
        else "set gan.filters lower, or source.size smaller"
    )
    raise BorderlineError(
        f"gan.filters is {gan.filters}, but the weights of a {gan.architecture} for images of "
        f"{height}x{width} pixels (height x width) take {gigabytes(needed)} of memory while it "
        f"trains, and this machine has {gigabytes(there)}: {way_out}."
    )


def weights_of(gan: GanParams, shape: tuple[int, int, int]) -> int:
    """The number of weights of both networks for images (C, H, W), which are built without them."""
    import torch

    from borderline.pipelines.gasten.networks import build_discriminator, build_generator

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        networks = build_generator(gan, shape), build_discriminator(gan, shape)
    return sum(weights.numel() for network in networks for weights in network.parameters())

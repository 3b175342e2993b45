"""The nodes of stage 2 that all generators share; each kind has its own in ``kinds/``."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoints
from borderline.datasets.tensors import digest
from borderline.errors import BorderlineError
from borderline.params import PairParams, RunParams
from borderline.pipelines.gasten.params import GanParams, GenerationParams, gan_settings
from borderline.pipelines.gasten.stream import (
    Epoch,
    epoch_figures,
    figures_settings,
    has_diverged,
    stream_epochs,
    stream_parts,
)
from borderline.pipelines.gasten.training import Gan, train
from borderline.records import LabelledImages
from borderline.sampling import Part, Sampler, sample_within_pair


def make_test_noise(
    generation: GenerationParams, gan: GanParams, run: RunParams
) -> dict[str, Tensor]:
    """The fixed latent vectors that every epoch's figures and sample grids are computed on."""
    random = run.generator("test noise")
    return {"latents": torch.randn(generation.test_noise, gan.latent_dim, generator=random)}


def train_gan(
    pair_train: LabelledImages,
    test_noise: dict[str, Tensor],
    judge: nn.Module,
    real_features: dict[str, Tensor],
    so_far: Checkpoints,
    gan: GanParams,
    pair: PairParams,
    run: RunParams,
) -> Iterator[Epoch]:
    """Step 1: train the plain GAN; yields checkpoints, the history and a sample grid an epoch.

    Raises:
        BorderlineError: When a loss is no longer finite, for all else goes on from this GAN.
    """
    images, noise = pair_train["images"], test_noise["latents"]
    network = Gan(gan, images.shape[1:], run)
    progress = train(
        network,
        images,
        epochs=gan.epochs,
        settings={
            **gan_settings(run, pair, gan),
            "images digest": digest(images),
            **figures_settings(gan.early_stopping, judge, noise),
        },
        so_far=so_far,
        measure=epoch_figures(noise, judge, real_features["features"], run.torch_device()),
        early_stopping=gan.early_stopping,
    )
    for epoch in stream_epochs(progress, network, noise):
        yield epoch
        history = epoch[1]
        if has_diverged(history):
            last = history["epoch"].iloc[-1]
            way_out = f", or set gan.epochs to {last - 1} to go on from there" if last > 1 else ""
            raise BorderlineError(
                f"The GAN's loss is no longer a finite number in epoch {last} with "
                f"gan.learning_rate {gan.learning_rate} (seed {run.seed}): lower it{way_out}."
            )


def make_images(
    sampler: Sampler,
    classifier: nn.Module,
    pair_train: LabelledImages,
    generation: GenerationParams,
    run: RunParams,
) -> Iterator[tuple[dict[str, Part], pd.DataFrame]]:
    """Images of a generator with the model's opinion of them, in parts, and their outcome."""
    parts = sample_within_pair(sampler, classifier, pair_train, generation.images, run)
    yield from stream_parts(parts, seconds=sampler.seconds, note=sampler.note)

"""The nodes of stage 2."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name, latest
from borderline.datasets.image_source import LabelledImages
from borderline.datasets.tensors import digest, digest_of_weights
from borderline.measures.confusion import average_confusion_distance, borderline_yield
from borderline.measures.inference import in_batches, predict
from borderline.measures.plots import draw_image_grid
from borderline.params import ConfusionParams, PairParams, RunParams, Setting
from borderline.pipelines.gasten import confusion_terms
from borderline.pipelines.gasten.networks import Generator
from borderline.pipelines.gasten.params import (
    GanParams,
    GenerationParams,
    GeneratorParams,
    gan_settings,
)
from borderline.pipelines.gasten.training import Gan, build_generator, train

Epoch = tuple[dict[str, Checkpoint], pd.DataFrame, dict[str, Figure]]
_IMAGES_IN_A_GRID = 64


def make_test_noise(
    generation: GenerationParams, gan: GanParams, run: RunParams
) -> dict[str, Tensor]:
    """The fixed latent vectors that every epoch's figures and sample grids are computed on."""
    random = run.generator("test noise")
    return {"latents": torch.randn(generation.test_noise, gan.latent_dim, generator=random)}


def train_gan(
    pair_train: LabelledImages,
    test_noise: dict[str, Tensor],
    so_far: Checkpoints,
    gan: GanParams,
    pair: PairParams,
    run: RunParams,
) -> Iterator[Epoch]:
    """Step 1: train the plain GAN; yields checkpoints, the history and a sample grid an epoch."""
    images = pair_train["images"]
    network = Gan.build(gan, images.shape[1:], run)
    settings = {**gan_settings(run, pair, gan), "images digest": digest(images)}
    for checkpoint in train(
        network, images, params=gan, epochs=gan.epochs, settings=settings, so_far=so_far
    ):
        samples = _sample(network.generator, test_noise["latents"][:_IMAGES_IN_A_GRID])
        title = f"Step 1, epoch {checkpoint['epoch']}: images of the plain GAN"
        yield _epoch(checkpoint, draw_image_grid(samples, None, title))


def train_generator(
    pair_train: LabelledImages,
    test_noise: dict[str, Tensor],
    gan_checkpoints: Checkpoints,
    so_far: Checkpoints,
    classifier: torch.nn.Module,
    generator: GeneratorParams,
    gan: GanParams,
    confusion: ConfusionParams,
    run: RunParams,
) -> Iterator[Epoch]:
    """Step 2: go on from step 1 with the confusion term; yields as step 1 does."""
    images, device = pair_train["images"], run.torch_device()
    start = latest(gan_checkpoints, gan.epochs)
    assert start is not None, "step 1 yields at least one checkpoint"
    network = Gan.build(gan, images.shape[1:], run)
    network.load(start["state"])
    settings: dict[str, Setting] = {
        **start["settings"],
        "gan.epochs": start["epoch"],
        **getattr(classifier, "settings", {}),
        **generator.fingerprint("generator"),
        "step 1 digest": digest_of_weights(network.generator),
        "classifier digest": digest_of_weights(classifier),
    }
    classifier = classifier.to(device).eval().requires_grad_(False)

    def confusion_term(fake: Tensor) -> Tensor:
        return confusion_terms.gasten(torch.sigmoid(classifier(fake)), generator.alpha)

    def measure(current: Generator) -> dict[str, float]:
        p = predict(classifier, _sample(current, test_noise["latents"]), device)
        return {
            "images": len(p),
            "band": confusion.band,
            "yield": borderline_yield(p, confusion.band),
            "acd": average_confusion_distance(p),
        }

    for checkpoint in train(
        network,
        images,
        params=gan,
        epochs=generator.epochs,
        settings=settings,
        so_far=so_far,
        confusion_term=confusion_term,
        measure=measure,
    ):
        samples = _sample(network.generator, test_noise["latents"][:_IMAGES_IN_A_GRID])
        row = checkpoint["history"][-1]
        title = (
            f"Step 2, epoch {checkpoint['epoch']}: yield {row['yield']:.1%}, ACD {row['acd']:.3f}"
        )
        yield _epoch(
            checkpoint, draw_image_grid(samples, predict(classifier, samples, device), title)
        )


def keep_last_generator(
    checkpoints: Checkpoints, generator: GeneratorParams, gan: GanParams
) -> Generator:
    """The generator of the last epoch."""
    checkpoint = latest(checkpoints, generator.epochs)
    assert checkpoint is not None, "step 2 yields at least one checkpoint"
    network = build_generator(gan, tuple(checkpoint["state"]["image_shape"]))
    network.load_state_dict(checkpoint["state"]["generator"])
    return network.eval()


def generate_images(
    generator: Generator,
    classifier: torch.nn.Module,
    generation: GenerationParams,
    run: RunParams,
) -> dict[str, Tensor]:
    """Images of a finished generator with the model's opinion of them.

    Returns:
        ``images`` (N, C, H, W) in [-1, 1], their ``latents`` (N, Z) and ``probabilities`` (N,).
    """
    latents = torch.randn(
        generation.images, generator.latent_dim, generator=run.generator("generated images")
    )
    images = in_batches(generator.to(run.torch_device()).eval(), latents, device=run.torch_device())
    return {
        "images": images,
        "latents": latents,
        "probabilities": predict(classifier, images, run.torch_device()),
    }


def _sample(generator: Generator, latents: Tensor) -> Tensor:
    device = next(generator.parameters()).device
    return in_batches(generator.eval(), latents, device=device)


def _epoch(checkpoint: Checkpoint, grid: Figure) -> Epoch:
    name = epoch_name(checkpoint["epoch"])
    return {name: checkpoint}, pd.DataFrame(checkpoint["history"]), {name: grid}

"""The nodes of stage 2 that all generators share; each kind has its own nodes in ``kinds/``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from borderline.errors import BorderlineError
from borderline.params import PairParams, RunParams
from borderline.pipelines.gasten.gan_params import GanParams, gan_settings
from borderline.pipelines.gasten.params import GenerationParams
from borderline.records import (
    LabelledImages,
    Latents,
    Part,
    RealFeatures,
    RealView,
    References,
)
from borderline.streaming import streams

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from borderline.boundary import Boundary
    from borderline.datasets.checkpoints import Checkpoints
    from borderline.datasets.image_source import SourceImages
    from borderline.measures.judges import Reference
    from borderline.pipelines.gasten.stream import Epoch
    from borderline.sampling import Sampler


def make_test_noise(
    noise_file: bytes | None = None,
    *,
    generation: GenerationParams,
    gan: GanParams,
    run: RunParams,
) -> Latents:
    """The fixed latent vectors of every epoch's scores and sample grids, drawn or from a file."""
    import torch

    from borderline.pipelines.gasten.noise_file import read_noise

    if noise_file is not None:
        return {"latents": read_noise(noise_file, gan.latent_dim)}
    random = run.generator("test noise")
    return {"latents": torch.randn(generation.test_noise, gan.latent_dim, generator=random)}


def describe_real_images(
    pair_train: LabelledImages,
    source: SourceImages,
    pair_names: dict[str, str],
    judge: nn.Module,
    inception: nn.Module | None = None,
    *,
    epoch_reference: Reference,
    pair: PairParams,
    run: RunParams,
) -> References:
    """The real images that epochs are compared with, as Inception sees them where it is given.

    With the images of all classes, the features of the judge are there too.
    """
    from borderline.datasets.image_source import training_images
    from borderline.measures.inference import embed
    from borderline.measures.realism import RealStatistics
    from borderline.pipelines.gasten.real_images import rows_of_pair

    device, images, described = run.torch_device(), pair_train["images"], {}
    if epoch_reference == "all":
        images = training_images(source, pair, run)["images"]
        described["lenet.features"] = embed(judge, images, device)
    if inception is not None:
        features = embed(inception, images, device)
        described |= RealStatistics.of(features).record("inception")
        if epoch_reference == "all":
            features = features[rows_of_pair(source, pair_names, pair, run)]
        described["inception.features"] = features
    return described


def describe_real_view(
    real_view: RealView,
    classifier: nn.Module,
    source: SourceImages,
    *,
    epoch_reference: Reference,
    pair: PairParams,
    run: RunParams,
) -> References:
    """The real images that epochs are compared with, as the model under test sees them."""
    from borderline.datasets.image_source import training_images
    from borderline.measures.inference import embed
    from borderline.measures.realism import RealStatistics

    features = real_view["train_embeddings"]
    if epoch_reference == "all":
        images = training_images(source, pair, run)["images"]
        features = embed(classifier, images, run.torch_device())
    return RealStatistics.of(features).record("classifier")


@streams("history_table", step="epoch", total=lambda gan: gan.epochs)
def train_gan(
    pair_train: LabelledImages,
    test_noise: Latents,
    judge: nn.Module,
    real_features: RealFeatures,
    checkpoints_so_far: Checkpoints,
    real_statistics: References | None = None,
    inception: nn.Module | None = None,
    *,
    gan: GanParams,
    pair: PairParams,
    run: RunParams,
    epoch_reference: Reference = "pair",
    noise_path: str | None = None,
) -> Iterator[Epoch]:
    """Step 1: train the plain GAN; yields checkpoints, the history and a sample grid an epoch.

    Raises:
        BorderlineError: When a loss is no longer finite, because generators start from this GAN.
    """
    from borderline.datasets.tensors import digest
    from borderline.pipelines.gasten import epoch_scores, stream, training
    from borderline.pipelines.gasten.gan import Gan

    images, noise = pair_train["images"], test_noise["latents"]
    network = Gan(gan, images.shape[1:], run)
    digests = epoch_scores.score_digests(gan.early_stopping, judge, noise)
    digests |= epoch_scores.history_settings(epoch_reference, noise_path, noise)
    others = epoch_scores.other_judges({"inception": inception}, real_statistics, noise)
    real = epoch_scores.features_to_compare(real_features, real_statistics)
    progress = training.train(
        network,
        images,
        epochs=gan.epochs,
        settings={**gan_settings(run, pair, gan), "images digest": digest(images), **digests},
        so_far=checkpoints_so_far,
        measure=epoch_scores.measurement(noise, judge, real, network.device, others=others),
        early_stopping=gan.early_stopping,
    )
    for epoch in stream.stream_epochs(progress, network, noise):
        yield epoch
        if stream.has_diverged(epoch[1]):
            raise _divergence(int(epoch[1]["epoch"].iloc[-1]), gan, run)


def _divergence(epoch: int, gan: GanParams, run: RunParams) -> BorderlineError:
    way_out = f", or set gan.epochs to {epoch - 1} to use the GAN of that epoch" * (epoch > 1)
    rate = gan.fingerprint("gan")["gan.learning_rate"]
    return BorderlineError(
        f"The GAN's loss is no longer a finite number in epoch {epoch} with gan.learning_rate "
        f"{rate} (seed {run.seed}): lower it{way_out}."
    )


@streams("outcome_table", step="images", total=lambda generation: generation.images, warning="note")
def make_images(
    sampler: Sampler,
    classifier: nn.Module,
    boundary: Boundary,
    pair_train: LabelledImages,
    *,
    generation: GenerationParams,
    run: RunParams,
) -> Iterator[tuple[dict[str, Part], pd.DataFrame]]:
    """Images of a generator with the model's p, in parts, and their outcome."""
    from borderline.pipelines.gasten.stream import stream_parts
    from borderline.sampling import counted_evaluations, log_duration, sample_within_pair

    log_duration(sampler, generation.images, run)
    parts = sample_within_pair(
        sampler, classifier, pair_train, generation.images, run, boundary["threshold"]
    )
    with counted_evaluations(sampler.decoder) as evaluations:
        yield from stream_parts(
            parts, seconds=sampler.seconds, note=sampler.note, evaluations=evaluations
        )

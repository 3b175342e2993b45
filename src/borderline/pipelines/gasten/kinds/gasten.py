"""GASTeN's step 2: the plain GAN trained on, with a term that pulls it to the boundary."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

import pandas as pd
import torch
from kedro.pipeline import Node, Pipeline
from pydantic import Field, model_validator
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoints
from borderline.datasets.tensors import digest_of_weights
from borderline.errors import BorderlineError
from borderline.measures.confusion import is_borderline
from borderline.measures.inference import predict
from borderline.params import ConfusionParams, Mark, RunParams, Setting
from borderline.pipelines.gasten.checkpoint_choice import kept_checkpoint, starting_checkpoint
from borderline.pipelines.gasten.networks import (
    Discriminator,
    Generator,
    trained_networks,
)
from borderline.pipelines.gasten.params import (
    EarlyStoppingParams,
    GanParams,
    StartsFromGan,
)
from borderline.pipelines.gasten.stream import (
    Epoch,
    epoch_figures,
    figures_settings,
    has_diverged,
    stream_epochs,
)
from borderline.pipelines.gasten.training import Gan, Steering, train
from borderline.records import LabelledImages
from borderline.sampling import Parts, Sampler, make_part, part_sizes

_USUAL_ALPHA = {"gasten": 25.0, "gaussian": 1.0, "gaussian_two_step": 1.0, "kl": 5.0, "logit": 3.0}


class Settings(StartsFromGan):
    """Step 2 of Cunha et al. 2023 and of its successors.

    Attributes:
        kind: ``gasten``.
        term: What is added to the generator's loss: ``gasten`` (the confusion distance),
            ``gaussian`` (Teixeira et al. 2024), ``gaussian_two_step`` (its form with two steps),
            ``kl``, ``logit``; or ``mgda`` and ``mgda_norm``, which need no weight.
        alpha: Weight of the term; None for 25 with ``gasten`` (Gomes et al. 2024), 1 with
            ``gaussian``, 5 with ``kl`` and 3 with ``logit``.
        alpha_growth: Factor of the weight after each epoch.
        real_borderline: The share of borderline images in each batch of real images, from which the
            discriminator learns how they look.
        epochs: Epochs of step 2.
        early_stopping: The rule that stops before the last epoch and keeps the best; None for no
            such rule.
    """

    trains: ClassVar[bool] = True
    has_space: ClassVar[bool] = True
    needs_gradients: ClassVar[bool] = True

    kind: Literal["gasten"]
    term: Literal["gasten", "gaussian", "gaussian_two_step", "kl", "logit", "mgda", "mgda_norm"]
    alpha: float | None = Field(ge=0)
    alpha_growth: float = Field(gt=0)
    real_borderline: float = Field(ge=0, le=1)
    epochs: Annotated[int, Field(ge=1), Mark.CONTINUES]
    early_stopping: Annotated[EarlyStoppingParams | None, Mark.CONTINUES]

    @model_validator(mode="after")
    def _weight_needs_a_term(self) -> Self:
        if self.term in _USUAL_ALPHA and self.alpha is None:
            # The way to fill in a frozen model that pydantic documents.
            object.__setattr__(self, "alpha", _USUAL_ALPHA[self.term])
        weighted = self.alpha is not None or self.alpha_growth != 1
        if self.term not in _USUAL_ALPHA and weighted:
            raise ValueError(
                f"{self.term} finds its weight itself: alpha and alpha_growth must be left out"
            )
        return self


def create_pipeline(settings: Settings) -> Pipeline:
    """Train, and keep the networks of the last or best epoch."""
    return Pipeline(
        [
            Node(
                train_generator,
                inputs=[
                    "pair_train",
                    "test_noise",
                    "judge",
                    "real_features",
                    "gan.checkpoints",
                    "checkpoints_so_far",
                    "classifier",
                    "params:generator",
                    "params:gan",
                    "params:confusion",
                    "params:run",
                ],
                outputs=["checkpoints", "history", "samples"],
                name="train_generator",
            ),
            Node(
                keep_networks,
                inputs=["checkpoints", "params:generator", "params:gan"],
                outputs=["generator", "discriminator"],
                name="keep_networks",
            ),
            Node(
                keep_sampler,
                inputs=["generator", "history"],
                outputs="sampler",
                name="keep_sampler",
            ),
        ]
    )


def train_generator(
    pair_train: LabelledImages,
    test_noise: dict[str, Tensor],
    judge: nn.Module,
    real_features: dict[str, Tensor],
    gan_checkpoints: Checkpoints,
    so_far: Checkpoints,
    classifier: nn.Module,
    generator: Settings,
    gan: GanParams,
    confusion: ConfusionParams,
    run: RunParams,
) -> Iterator[Epoch]:
    """Step 2: go on from step 1 with the confusion term; yields as step 1 does."""
    images, noise, device = pair_train["images"], test_noise["latents"], run.torch_device()
    assert not isinstance(generator.start, tuple), "the grid takes lists apart"
    start = starting_checkpoint(gan_checkpoints, generator.start, gan)
    network = Gan(gan, images.shape[1:], run)
    network.load(start["state"])
    # Not the state of step 1, which repetitions may have in common.
    network.random = run.generator("gan", "step 2")
    settings: dict[str, Setting] = {
        **start["settings"],
        **gan.fingerprint("gan"),
        "gan.epochs" if generator.start == "last" else "generator.start": start["epoch"],
        **getattr(classifier, "settings", {}),
        **generator.fingerprint("generator"),
        "step 1 digest": digest_of_weights(network.generator),
        "classifier digest": digest_of_weights(classifier),
        **figures_settings(generator.early_stopping, judge, noise, confusion),
    }
    if generator.real_borderline:
        settings |= confusion.fingerprint("confusion")
    rows = (
        _borderline_rows(classifier, images, confusion, run) if generator.real_borderline else None
    )
    classifier = copy.deepcopy(classifier).to(device).eval().requires_grad_(False)
    steering = Steering(
        classifier=classifier,
        term=generator.term,
        alpha=generator.alpha or 0.0,
        growth=generator.alpha_growth,
        real_rows=rows,
        real_share=generator.real_borderline,
    )
    progress = train(
        network,
        images,
        epochs=generator.epochs,
        settings=settings,
        so_far=so_far,
        measure=epoch_figures(
            noise, judge, real_features["features"], device, classifier, confusion
        ),
        steering=steering,
        early_stopping=generator.early_stopping,
    )
    yield from stream_epochs(progress, network, noise, classifier)


def keep_networks(
    checkpoints: Checkpoints, generator: Settings, gan: GanParams
) -> tuple[Generator, Discriminator]:
    """Both networks of the last epoch, or of the best where early stopping names a figure."""
    kept = kept_checkpoint(checkpoints, generator.epochs, generator.early_stopping)
    return trained_networks(gan, kept["state"])


@dataclass(frozen=True, kw_only=True)
class GanSampler(Sampler):
    """Images of latents from a normal distribution, wherever they fall.

    Attributes:
        generator: The trained network.
    """

    generator: nn.Module

    def sample(
        self, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams
    ) -> Parts:
        """Images with the model's opinion of them."""
        device, random = run.torch_device(), run.generator("generated images")
        generator = self.generator.to(device).eval()
        for size in part_sizes(images):
            latent_dim = int(generator.latent_dim)  # type: ignore[arg-type]
            latents = torch.randn(size, latent_dim, generator=random)
            yield make_part(generator, classifier, latents, device)
        return ""

    @property
    def decoder(self) -> nn.Module:
        """The trained network."""
        return self.generator


def keep_sampler(generator: Generator, history: pd.DataFrame) -> GanSampler:
    """The finished generator, and what is to be said of its training."""
    note = ""
    if has_diverged(history):
        note = (
            f"its loss was no longer a finite number in epoch {history['epoch'].iloc[-1]}, so it "
            "kept the last checkpoint before: lower its alpha, or gan.learning_rate"
        )
    seconds = float(history["seconds"].sum())
    return GanSampler(generator=generator, seconds=seconds, note=note)


def _borderline_rows(
    classifier: nn.Module, images: Tensor, confusion: ConfusionParams, run: RunParams
) -> Tensor:
    p = predict(classifier, images, run.torch_device())
    rows = is_borderline(p, confusion.band).nonzero()[:, 0]
    if len(rows) == 0:
        raise BorderlineError(
            f"real_borderline asks for real images with |p - 0.5| < {confusion.band}, and the "
            "training set has none: set it to 0, or widen confusion.band."
        )
    return rows

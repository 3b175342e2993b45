"""GASTeN's step 2: the GAN is trained further, with a term that pulls it to the boundary."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from kedro.pipeline import Pipeline
from pydantic import Field, model_validator

from borderline.boundary import Boundary, fingerprint
from borderline.errors import BorderlineError
from borderline.fingerprints import CLASSIFIER_DIGEST, EARLIER
from borderline.grid import node
from borderline.measures.judges import Distance
from borderline.params import Mark, RunParams, Setting
from borderline.pipelines.gasten.gan_params import (
    NETWORKS,
    EarlyStoppingParams,
    GanParams,
    with_own,
)
from borderline.pipelines.gasten.params import GeneratorContext, StartsFromGan, seed_settings
from borderline.pipelines.gasten.terms import TERMS, TermName
from borderline.pipelines.gasten.wiring import node_of_epochs
from borderline.records import LabelledImages, Latents, RealFeatures, RealView, References
from borderline.sampling import GanSampler
from borderline.streaming import streams

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from borderline.datasets.checkpoints import Checkpoint, Checkpoints
    from borderline.measures.judges import Reference
    from borderline.pipelines.gasten.epoch import Steering
    from borderline.pipelines.gasten.gan import Gan
    from borderline.pipelines.gasten.networks import Discriminator, Generator, ImageShape
    from borderline.pipelines.gasten.stream import Epoch


_BESIDE_THE_COMMON = ("batch_size", "disc_iters", "learning_rate")
"""Settings of step 2 whose common values, for both steps, stand in ``gan``."""


class Settings(StartsFromGan):
    """Step 2 of Cunha et al. 2023 and of its successors.

    Attributes:
        alpha: Weight of the term; None for the term's default. ``mgda`` and ``mgda_norm`` find
            their weight themselves.
        alpha_growth: Factor of the weight after each epoch.
        real_borderline: The share of borderline images in each batch of real images, from which the
            discriminator learns how they look.
        batch_size: The batch size of step 2; None for that of ``gan``, as for the next three.
        disc_iters: Discriminator steps per generator step.
        learning_rate: The learning rate of both networks.
        checkpoint_every: Epochs between two checkpoints.
        sorted_samples: Whether each epoch has a second grid of samples, with a column for each
            tenth of p. None, not False, is the default, so that it equals the settings of runs
            that lack it.
    """

    trains: ClassVar[bool] = True
    has_space: ClassVar[bool] = True
    needs_gradients: ClassVar[bool] = True

    kind: Literal["gasten"]
    term: TermName
    alpha: float | None = Field(ge=0)
    alpha_growth: float = Field(gt=0)
    real_borderline: float = Field(ge=0, le=1)
    epochs: Annotated[int, Field(ge=1), Mark.CONTINUES]
    early_stopping: Annotated[EarlyStoppingParams | None, Mark.CONTINUES]
    batch_size: int | None = Field(ge=2)
    disc_iters: int | None = Field(ge=1)
    learning_rate: float | None = Field(gt=0)
    checkpoint_every: Annotated[int | None, Field(ge=1), Mark.CONTINUES]
    sorted_samples: Annotated[bool | None, Field(strict=True), Mark.CONTINUES]

    @model_validator(mode="after")
    def _weight_needs_a_term(self) -> Self:
        weight = TERMS[self.term].weight
        if weight is not None and self.alpha is None:
            # pydantic's documented way to fill in a frozen model.
            object.__setattr__(self, "alpha", weight)
        if weight is None and (self.alpha is not None or self.alpha_growth != 1):
            raise ValueError(
                f"{self.term} finds its weight itself: alpha and alpha_growth must be left out"
            )
        return self

    def distances(self) -> set[Distance]:
        """The Fréchet distances that the start or the early stopping reads."""
        rule = self.early_stopping
        return super().distances() | (set() if rule is None else rule.distances())

    def check(self, name: str, context: GeneratorContext) -> None:
        """The start has a checkpoint, and the term can be compiled."""
        super().check(name, context)
        steps = context.gan.steps_per_epoch
        if steps is not None and self.disc_iters is not None and self.disc_iters > steps:
            raise BorderlineError(
                f"generators.{name}.disc_iters is {self.disc_iters}, but an epoch has only {steps} "
                "steps (gan.steps_per_epoch): lower it, or raise gan.steps_per_epoch."
            )
        if context.gan.compile and TERMS[self.term].takes_two_gradients:
            raise BorderlineError(
                f"gan.compile is True, but generators.{name}.term {self.term!r} takes two "
                "gradients of one pass, which torch.compile does not support: set gan.compile to "
                "False."
            )

    def step_2(self, gan: GanParams) -> GanParams:
        """The settings of the training: those of ``gan``, unless step 2 has its own."""
        names = (*_BESIDE_THE_COMMON, "checkpoint_every")
        own = {n: value for n in names if (value := getattr(self, n)) is not None}
        if self.learning_rate is not None:
            none = {"learning_rate": None}
            own |= {name: getattr(gan, name).model_copy(update=none) for name in NETWORKS}
        return gan.model_copy(update=own)

    def fingerprint(self, group: str) -> dict[str, Setting]:
        """As for all settings, without those that stand beside the common ones of ``gan``."""
        beside = {f"{group}.{name}" for name in _BESIDE_THE_COMMON}
        values = super().fingerprint(group).items()
        return {name: value for name, value in values if name not in beside}

    def training_settings(
        self,
        step_1: Mapping[str, Setting],
        classifier: Mapping[str, Setting],
        gan: GanParams,
        confusion: Mapping[str, Setting],
        start: int | None = None,
    ) -> dict[str, Setting]:
        """The fingerprint of step 2; see :class:`~borderline.params.GeneratorParams`."""
        if start is None and isinstance(self.start, int):
            start = self.start
        elif start is None and self.start == "last" and step_1 and gan.early_stopping is None:
            start = gan.epochs
        settings = {**step_1, **gan.fingerprint("gan")}
        for name in _BESIDE_THE_COMMON:
            common = settings[f"gan.{name}"]
            settings[f"gan.{name}"] = with_own(common, {"step 2": getattr(self, name)})
        if start is not None:
            settings["gan.epochs" if self.start == "last" else "generator.start"] = start
        settings |= {**classifier, **self.fingerprint("generator")}
        reads_band = self.real_borderline or self.early_stopping is not None
        # The term aims at the threshold.
        return settings | {
            name: value
            for name, value in confusion.items()
            if reads_band or name == "confusion.threshold"
        }


def create_pipeline(settings: Settings) -> Pipeline:
    """Train, and keep the networks of the last or best epoch."""
    return Pipeline(
        [
            node_of_epochs(
                train_generator,
                ["checkpoints", "history_table", "samples"],
                gan_checkpoints="gan.checkpoints",
            ),
            node(keep_networks, ["generator", "discriminator"]),
            node(keep_sampler, "sampler"),
        ]
    )


@streams("history_table", step="epoch", total=lambda generator: generator.epochs)
def train_generator(
    pair_train: LabelledImages,
    test_noise: Latents,
    judge: nn.Module,
    real_features: RealFeatures,
    gan_checkpoints: Checkpoints,
    checkpoints_so_far: Checkpoints,
    classifier: nn.Module,
    boundary: Boundary,
    real_view: RealView,
    real_statistics: References | None = None,
    model_statistics: References | None = None,
    inception: nn.Module | None = None,
    *,
    generator: Settings,
    gan: GanParams,
    run: RunParams,
    epoch_reference: Reference = "pair",
    noise_path: str | None = None,
) -> Iterator[Epoch]:
    """Step 2: go on from step 1 with the confusion term; yields the same as step 1."""
    from borderline.pipelines.gasten import epoch_scores, stream, training

    images, noise = pair_train["images"], test_noise["latents"]
    network, start = _starting_gan(gan_checkpoints, generator, gan, images.shape[1:], run)
    steering = _steering(classifier, real_view["train_p"], generator, boundary, run)
    settings = _fingerprint(start, network, classifier, generator, gan, boundary)
    settings |= seed_settings(run)
    settings |= epoch_scores.score_digests(generator.early_stopping, judge, noise)
    settings |= epoch_scores.history_settings(epoch_reference, noise_path, noise)
    real = epoch_scores.features_to_compare(real_features, real_statistics)
    networks = {"classifier": steering.classifier, "inception": inception}
    statistics = {**(real_statistics or {}), **(model_statistics or {})}
    others = epoch_scores.other_judges(networks, statistics, noise)
    progress = training.train(
        network,
        images,
        epochs=generator.epochs,
        settings=settings,
        so_far=checkpoints_so_far,
        measure=epoch_scores.measurement(
            noise, judge, real, network.device, steering.classifier, boundary, others
        ),
        steering=steering,
        early_stopping=generator.early_stopping,
    )
    yield from stream.stream_epochs(
        progress,
        network,
        noise,
        steering.classifier,
        threshold=boundary["threshold"],
        by_tenths=bool(generator.sorted_samples),
    )


def _starting_gan(
    checkpoints: Checkpoints, generator: Settings, gan: GanParams, shape: ImageShape, run: RunParams
) -> tuple[Gan, Checkpoint]:
    """The GAN of a checkpoint of step 1 with a new random state, and the checkpoint."""
    from borderline.pipelines.gasten.checkpoint_choice import starting_checkpoint
    from borderline.pipelines.gasten.gan import Gan

    network = Gan(generator.step_2(gan), shape, run)
    if generator.start == 0:
        # The initial weights, with the settings of step 1, which all its checkpoints have.
        start: Checkpoint = {**checkpoints[min(checkpoints)](), "epoch": 0}
    else:
        start = starting_checkpoint(checkpoints, generator.start, gan)
        network.load(start["state"])
    # Not the state of step 1, which repetitions may have in common.
    network.random = run.generator("gan", "step 2")
    return network, start


def _steering(
    classifier: nn.Module,
    train_p: Tensor,
    generator: Settings,
    boundary: Boundary,
    run: RunParams,
) -> Steering:
    """The steering by a frozen copy of the model under test."""
    from borderline.pipelines.gasten.epoch import Steering, borderline_rows

    return Steering(
        classifier=copy.deepcopy(classifier).to(run.torch_device()).eval().requires_grad_(False),
        term=TERMS[generator.term](boundary["threshold"]),
        alpha=generator.alpha or 0.0,
        growth=generator.alpha_growth,
        real_rows=borderline_rows(train_p, boundary) if generator.real_borderline else None,
        real_share=generator.real_borderline,
    )


def _fingerprint(
    start: Checkpoint,
    network: Gan,
    classifier: nn.Module,
    generator: Settings,
    gan: GanParams,
    boundary: Boundary,
) -> dict[str, Setting]:
    """The fingerprint with digests of its inputs, before the first epoch."""
    from borderline.datasets.tensors import digest_of_weights

    model: dict[str, Setting] = getattr(classifier, "settings", {})
    step_1 = {n: value for n, value in start["settings"].items() if n not in EARLIER}
    inputs = step_1, model, gan, fingerprint(boundary), start["epoch"]
    return {
        **generator.training_settings(*inputs),
        "step 1 digest": digest_of_weights(network.generator),
        CLASSIFIER_DIGEST: digest_of_weights(classifier),
    }


def keep_networks(
    checkpoints: Checkpoints, *, generator: Settings, gan: GanParams
) -> tuple[Generator, Discriminator]:
    """Both networks of the last epoch, or of the best one where there is early stopping."""
    from borderline.pipelines.gasten.checkpoint_choice import kept_checkpoint
    from borderline.pipelines.gasten.networks import trained_networks

    kept = kept_checkpoint(checkpoints, generator.epochs, generator.early_stopping)
    return trained_networks(gan, kept["state"])


def keep_sampler(generator: Generator, history_table: pd.DataFrame) -> GanSampler:
    """The finished generator, with a note if its training diverged."""
    from borderline.pipelines.gasten.stream import has_diverged

    note = ""
    if has_diverged(history_table):
        note = (
            f"its loss was no longer a finite number in epoch {history_table['epoch'].iloc[-1]}, "
            "so it kept the last checkpoint before: lower its alpha, or its learning_rate"
        )
    seconds = float(history_table["seconds"].sum())
    return GanSampler(generator=generator, seconds=seconds, note=note)

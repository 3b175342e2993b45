"""A flow-matching model of the pair's images, trained once for all models under test.

Its decoder is the way from noise to image in a few steps, without chance, so that latents have
images and ``latent_search`` can search among them; see ``flow.py`` of the stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from kedro.pipeline import Pipeline

from borderline.copies import once
from borderline.errors import BorderlineError
from borderline.grid import node
from borderline.measures.judges import Distance
from borderline.params import PairParams, RunParams
from borderline.pipelines.gasten.params import DiffusionParams, GeneratorContext, measured_settings
from borderline.pipelines.gasten.wiring import node_of_epochs
from borderline.records import LabelledImages, Latents, RealFeatures, References
from borderline.sampling import GanSampler
from borderline.streaming import streams

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from borderline.datasets.checkpoints import Checkpoints
    from borderline.measures.judges import Reference
    from borderline.pipelines.gasten.flow import Decoder
    from borderline.pipelines.gasten.stream import Epoch


class Settings(DiffusionParams):
    """A flow-matching model; see :class:`DiffusionParams`."""

    trains_once: ClassVar[bool] = True
    has_space: ClassVar[bool] = True

    kind: Literal["diffusion"]

    @property
    def passes_per_image(self) -> int:
        """The steps of the decoder; those of ``heun`` have two passes."""
        return self.steps * (2 if self.solver == "heun" else 1)

    def needs_gan(self) -> bool:
        """No: it is trained from noise."""
        return False

    def distances(self) -> set[Distance]:
        """The Fréchet distances that the early stopping reads."""
        return set() if self.early_stopping is None else self.early_stopping.distances()

    def check(self, name: str, context: GeneratorContext) -> None:
        """The package is there, and the early stopping needs no model under test."""
        from importlib.util import find_spec

        if find_spec("diffusers") is None:
            raise BorderlineError(
                f"generators.{name}.kind is 'diffusion', which needs the package diffusers: "
                "install it (pip install 'borderline[diffusion]')."
            )
        rule = self.early_stopping
        for setting, score in rule.metrics().items() if rule is not None else ():
            if score not in ("fd_lenet", "fid"):
                raise BorderlineError(
                    f"generators.{name}.early_stopping.{setting} is {score!r}, but the training "
                    "has no model under test: set it to 'fd_lenet' or 'fid'."
                )


def create_shared_pipeline(settings: Settings) -> Pipeline:
    """Train the flow."""
    return Pipeline(
        [
            node_of_epochs(
                train_diffusion,
                ["checkpoints", "history_table", "samples"],
                checkpoints_so_far=once("checkpoints_so_far"),
            )
        ]
    )


def create_pipeline(settings: Settings) -> Pipeline:
    """Keep the decoder of the last or best epoch."""
    return Pipeline(
        [
            node(keep_decoder, "generator", checkpoints=once("checkpoints")),
            node(keep_sampler, "sampler", history_table=once("history_table")),
        ]
    )


@streams("history_table", step="epoch", total=lambda generator: generator.epochs)
def train_diffusion(
    pair_train: LabelledImages,
    test_noise: Latents,
    judge: nn.Module,
    real_features: RealFeatures,
    checkpoints_so_far: Checkpoints,
    real_statistics: References | None = None,
    inception: nn.Module | None = None,
    *,
    generator: Settings,
    pair: PairParams,
    run: RunParams,
    epoch_reference: Reference = "pair",
) -> Iterator[Epoch]:
    """Train the flow; yields checkpoints, the history and a sample grid an epoch.

    It is measured on as many latents as step 1.

    Raises:
        BorderlineError: When its loss is no longer finite.
    """
    from borderline.pipelines.gasten import epoch_scores, flow_training, stream

    flow = flow_training.Flow(generator, pair_train["images"].shape[1:], run)
    noise = flow.draw_noise(len(test_noise["latents"]), run)
    settings = generator.shared_settings(run, pair)
    settings |= epoch_scores.score_digests(generator.early_stopping, judge, noise)
    settings |= measured_settings(epoch_reference, None)
    real = epoch_scores.features_to_compare(real_features, real_statistics)
    others = epoch_scores.other_judges({"inception": inception}, real_statistics, noise)
    progress = flow_training.train(
        flow,
        pair_train,
        settings=settings,
        so_far=checkpoints_so_far,
        measure=epoch_scores.measurement(noise, judge, real, flow.device, others=others),
    )
    title = "Epoch {epoch}: images of the flow"
    for epoch in stream.stream_epochs(progress, flow, noise, title=title):
        yield epoch
        if stream.has_diverged(epoch[1]):
            number = int(epoch[1]["epoch"].iloc[-1])
            raise BorderlineError(
                f"The loss of a generator of kind 'diffusion' is no longer a finite number in "
                f"epoch {number} with learning_rate {generator.learning_rate} (seed {run.seed}): "
                "lower it (generator_kinds.diffusion.learning_rate)."
            )


def keep_decoder(checkpoints: Checkpoints, *, generator: Settings) -> Decoder:
    """The decoder of the last epoch, or of the best one where there is early stopping."""
    from borderline.pipelines.gasten.checkpoint_choice import kept_checkpoint
    from borderline.pipelines.gasten.flow_training import trained_decoder

    kept = kept_checkpoint(checkpoints, generator.epochs, generator.early_stopping)
    return trained_decoder(generator, kept["state"])


def keep_sampler(generator: Decoder, history_table: pd.DataFrame) -> GanSampler:
    """The decoder, ready to make images; its seconds are those of its training."""
    return GanSampler(generator=generator, seconds=float(history_table["seconds"].sum()))

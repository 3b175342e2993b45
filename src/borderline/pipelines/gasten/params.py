"""Settings of the stage: ``parameters_gasten.yml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from borderline.params import PairParams, Params, RunParams, Setting


class GanParams(Params):
    """Step 1, the plain GAN (Cunha et al. 2023: a DCGAN with 64 filters), and how both steps train.

    Attributes:
        epochs: Epochs of step 1.
        steps_per_epoch: Generator steps that make an epoch; left empty, one pass over the images.
            Small datasets want more than one pass.
        latent_dim: Dimensions of the latent vector z.
        filters: Channels of the discriminator's first convolution; each further one doubles them.
        batch_size: Images a step.
        learning_rate: Adam's learning rate, for both networks.
    """

    epochs: int = Field(ge=1)
    steps_per_epoch: int | None = Field(default=None, ge=1)
    latent_dim: int = Field(ge=1)
    filters: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)


class GeneratorParams(Params):
    """Step 2, one way to the boundary.

    Attributes:
        kind: ``gasten``: the GAN's loss plus ``alpha`` times the confusion distance.
        alpha: Weight of the confusion distance (Gomes et al. 2024: 25).
        epochs: Epochs of step 2.
    """

    kind: Literal["gasten"]
    alpha: float = Field(ge=0)
    epochs: int = Field(ge=1)


class GenerationParams(Params):
    """What the finished generators are asked for.

    Attributes:
        images: Images that each generator makes (Gomes et al. 2024: 15,000).
        test_noise: Latent vectors that every epoch's figures are computed on.
    """

    images: int = Field(ge=1)
    test_noise: int = Field(ge=64)


def gan_settings(run: RunParams, pair: PairParams, gan: GanParams) -> dict[str, Setting]:
    """The fingerprint of step 1: every setting that its checkpoints depend on."""
    return {**run.fingerprint("run"), **pair.fingerprint("pair"), **gan.fingerprint("gan")}

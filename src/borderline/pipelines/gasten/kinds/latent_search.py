"""Latent boundary search: walks between latents of both sides, stopped on the boundary.

It trains nothing for the model under test; see ``latent_search.py`` of the stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from kedro.pipeline import Pipeline
from pydantic import Field, StrictInt, model_validator

from borderline.boundary import Pairs
from borderline.errors import BorderlineError, did_you_mean
from borderline.grid import node
from borderline.params import Params
from borderline.pipelines.gasten.gan_params import GanParams
from borderline.pipelines.gasten.params import GeneratorContext, StartsFromGan
from borderline.records import RealFeatures

if TYPE_CHECKING:
    from torch import nn

    from borderline.committee import Committee
    from borderline.datasets.checkpoints import Checkpoints
    from borderline.pipelines.gasten.latent_search import SearchSampler
    from borderline.pipelines.gasten.networks import Discriminator, Generator


FEWEST_IMAGES = 64
"""A search that decodes fewer images finds nothing to join."""


class RealismParams(Params):
    """Keep only this share of the images of each class, those that look most real.

    The class is the one that the judges say. Where they have no opinion, such as an encoder
    without a head, the choice is among all images together.

    Attributes:
        by: ``discriminator`` (its logit), ``judge`` (distance to the nearest real image of the
            pair in the judge's features) or ``committee`` (mean rank by the realism score of its
            members beside the judge; Kynkäänniemi et al. 2019, equation 3). The judge measures
            realism, so its own choice looks better to it than to any other network.
    """

    by: Literal["discriminator", "judge", "committee"]
    keep: float = Field(ge=0.05, le=1)


class Settings(StartsFromGan):
    """A search in a latent space.

    Attributes:
        space_of: The latent space: ``gan`` for step 1, or the name of a trained or an imported
            generator.
        truncation: Largest absolute value of the normal latents; None for no limit. A low value
            gives less variety and more typical images.
        spread: Targets are uniform in ``0.5 +- spread``; 0 for the boundary itself. Targets are
            centred probabilities, ``sigmoid(logit p - logit t)``.
        tolerance: Largest distance of a centred probability from its target.
        budget: Most decoder evaluations of the search: images decoded, times the steps of the
            decoder; None for no limit.
    """

    kind: Literal["latent_search"]
    space_of: str
    pairs: Pairs
    truncation: float | None = Field(gt=0)
    spread: float = Field(ge=0, lt=0.5)
    tolerance: float = Field(gt=0, lt=0.5)
    realism: RealismParams | None
    # With a default here too, because the ledgers of earlier versions lack it.
    budget: Annotated[StrictInt, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _start_is_of_step_1(self) -> Self:
        if self.space_of != "gan" and self.start != "last":
            raise ValueError(f"{self.space_of} is searched at its last epoch, so leave start out")
        return self

    def goes_on_from(self) -> str | None:
        """The trained or imported generator, if any."""
        return None if self.space_of == "gan" else self.space_of

    def check(self, name: str, context: GeneratorContext) -> None:
        """The latent space exists, and the images land in the band."""
        source, spaces = self.goes_on_from(), context.spaces
        if source is not None and source not in spaces:
            raise BorderlineError(
                f"generators.{name}.space_of is {source!r}{did_you_mean(source, spaces)}, which is "
                "no trained or imported generator of grid.generators: choose "
                f"{' or '.join(['gan', *spaces])}, or add it there."
            )
        if source is not None and self.is_realism_by("discriminator") and not spaces[source].trains:
            others = "'committee' or 'judge'" if context.members > 1 else "'judge'"
            raise BorderlineError(
                f"generators.{name}.realism.by is 'discriminator', but {source} has none: "
                f"set it to {others}."
            )
        if self.is_realism_by("committee") and context.members < 2:
            more = "set judge.members to 2 or more, " if context.members else ""
            raise BorderlineError(
                f"generators.{name}.realism.by is 'committee', but there is no judge beside the "
                f"one that measures realism: {more}set it to 'judge', or realism to null."
            )
        if self.start == 0:
            raise BorderlineError(
                f"generators.{name}.start is 0, but the GAN makes only noise before its training: "
                "choose a later epoch of step 1."
            )
        super().check(name, context)
        passes = 1 if source is None else spaces[source].passes_per_image
        if self.budget is not None and self.budget < FEWEST_IMAGES * passes:
            raise BorderlineError(
                f"generators.{name}.budget is {self.budget}, but a search decodes at least "
                f"{FEWEST_IMAGES} images, of {passes} evaluations each: raise it to "
                f"{FEWEST_IMAGES * passes} or more, or set it to null."
            )
        reach = self.tolerance + self.spread
        if not context.is_in_band(reach):
            raise BorderlineError(
                f"generators.{name}.tolerance and spread add up to {reach:g}, which reaches beyond "
                f"the borderline band ({context.band_in_words}): lower them."
            )

    def is_realism_by(self, network: Literal["discriminator", "judge", "committee"]) -> bool:
        """Whether the images are filtered, and by this network."""
        return self.realism is not None and self.realism.by == network


def create_pipeline(settings: Settings) -> Pipeline:
    """Search in the latent space of step 1, or of another generator."""
    source = settings.goes_on_from()
    owner = f"{source}." if source else ""
    # Not every generator has a discriminator.
    discriminator = {"discriminator": f"{owner}discriminator"}
    more = discriminator if settings.is_realism_by("discriminator") else {}
    more |= {"committee": "committee"} if settings.realism else {}
    take = node(take_networks, ["generator", "discriminator"], checkpoints="gan.checkpoints")
    keep = node(keep_sampler, "sampler", more=more, network=f"{owner}generator")
    return Pipeline([keep] if source else [take, keep])


def take_networks(
    checkpoints: Checkpoints, *, generator: Settings, gan: GanParams
) -> tuple[Generator, Discriminator]:
    """Both networks of the epoch of step 1 that the settings name."""
    from borderline.pipelines.gasten.checkpoint_choice import starting_checkpoint
    from borderline.pipelines.gasten.networks import trained_networks

    start = starting_checkpoint(checkpoints, generator.start, gan)
    return trained_networks(gan, start["state"])


def keep_sampler(
    network: nn.Module,
    judge: nn.Module,
    real_features: RealFeatures,
    discriminator: nn.Module | None = None,
    committee: Committee | None = None,
    *,
    generator: Settings,
) -> SearchSampler:
    """The latent space, with the networks that the search needs."""
    from borderline.pipelines.gasten.latent_search import SearchSampler

    by_judge = generator.is_realism_by("judge")
    judges = () if committee is None else committee.members
    # The first member is the judge. It measures realism, so it has no part in the committee's
    # choice; where it rates itself, it says the class too.
    members = {"discriminator": judges, "committee": judges[1:]}
    return SearchSampler(
        generator=network,
        pairs=generator.pairs,
        truncation=generator.truncation,
        spread=generator.spread,
        tolerance=generator.tolerance,
        budget=generator.budget,
        keep=generator.realism.keep if generator.realism else 1.0,
        discriminator=discriminator,
        judge=judge if by_judge else None,
        real_features=real_features["features"] if by_judge else None,
        members=members.get(generator.realism.by, ()) if generator.realism else (),
        columns=(committee.positive, committee.negative) if committee and judges else None,
    )

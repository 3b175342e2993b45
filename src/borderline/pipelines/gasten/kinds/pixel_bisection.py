"""The baseline without a generator: blends of two real images, stopped on the boundary.

It is the random-pair search that DeepDIG is compared with (Karimi and Derr 2022), and shows why a
generator is needed: the images are blends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from kedro.pipeline import Pipeline
from pydantic import Field

from borderline.boundary import Pairs
from borderline.errors import BorderlineError
from borderline.grid import node
from borderline.params import GeneratorParams
from borderline.pipelines.gasten.params import GeneratorContext

if TYPE_CHECKING:
    from borderline.pipelines.gasten.pixel_blends import BlendSampler


class Settings(GeneratorParams):
    """A search between real images of both classes, paired by their distance in pixel space.

    Attributes:
        tolerance: Largest distance of the centred probability, ``sigmoid(logit p - logit t)``,
            from 0.5.
    """

    baseline: ClassVar[str] = "blends of two real images"

    kind: Literal["pixel_bisection"]
    pairs: Pairs
    tolerance: float = Field(gt=0, lt=0.5)

    def needs_gan(self) -> bool:
        """No: it blends real images."""
        return False

    def check(self, name: str, context: GeneratorContext) -> None:
        """The blends land in the band."""
        if not context.is_in_band(self.tolerance):
            raise BorderlineError(
                f"generators.{name}.tolerance is {self.tolerance:g}, which reaches beyond the "
                f"borderline band ({context.band_in_words}): lower it."
            )


def create_pipeline(settings: Settings) -> Pipeline:
    """One node."""
    return Pipeline([node(keep_sampler, "sampler")])


def keep_sampler(*, generator: Settings) -> BlendSampler:
    """The search; the real images already exist."""
    from borderline.pipelines.gasten.pixel_blends import BlendSampler

    return BlendSampler(pairs=generator.pairs, tolerance=generator.tolerance)

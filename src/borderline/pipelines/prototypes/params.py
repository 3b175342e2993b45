"""Settings of the stage: ``parameters_prototypes.yml``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from borderline.params import Params, check_can_tell, distinct
from borderline.pipelines.prototypes.choosing.names import Selection

Method = Literal["gradient_shap", "saliency", "integrated_gradients", "occlusion"]

WITHOUT_GRADIENTS: Method = "occlusion"


class ValidationParams(Params):
    """How prototypes are compared with images taken at random.

    Attributes:
        draws: Random choices of images that a p-value counts.
        label_draws: Shuffled labels that a p-value counts.
        resamples: Random parts of the images that an interval comes from.
        resample_images: Most images of such a part, which is half of them where it can be.
        repeats: Other seeds with which images are generated and clustered again.
        repeat_images: Most borderline images of each.
        level: From this corrected p-value on, a sentence says that prototypes are no better.
    """

    draws: int = Field(ge=19)
    label_draws: int = Field(ge=19)
    resamples: int = Field(ge=2)
    resample_images: int = Field(ge=50)
    repeats: int = Field(ge=2)
    repeat_images: int = Field(ge=50)
    level: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _can_tell(self) -> Self:
        check_can_tell("draws", self.draws, self.level)
        check_can_tell("label_draws", self.label_draws, self.level)
        return self


class ExplanationParams(Params):
    """How prototypes are explained, and the explanations tested.

    Attributes:
        methods: The attributions to compute.
        shap_baseline: What GradientSHAP compares an image with: the ``black`` image, the ``mean``
            of the real training images, or real images of the ``other_class``, that which the
            model leans away from.
        shap_samples: Random points on the ways from there that GradientSHAP averages.
        steps: Points on the way from black of the integrated gradients.
        window: Side of the square that occlusion blackens, in pixels.
        curve_steps: Steps in which pixels are deleted and inserted.
        random_maps: Random orders of the pixels that a map is compared with.
        randomisations: How often the model's weights are drawn anew.
    """

    methods: Annotated[tuple[Method, ...], Field(min_length=1), AfterValidator(distinct)]
    shap_baseline: Literal["black", "mean", "other_class"]
    shap_samples: int = Field(ge=1)
    steps: int = Field(ge=2)
    window: int = Field(ge=1)
    curve_steps: int = Field(ge=2)
    random_maps: int = Field(ge=19)
    randomisations: int = Field(ge=1)

    def methods_of(self, has_gradients: bool) -> tuple[Method, ...]:
        """Those that a model allows for: without gradients, only occlusion."""
        return tuple(m for m in self.methods if has_gradients or m == WITHOUT_GRADIENTS)


class TippingParams(Params):
    """What would tip the model to either side.

    Attributes:
        confident: From this p on the model is confident of the positive class, and from one minus
            this down of the negative one.
        steps: Images on the way to each side.
        neighbours: Nearest real training images of each class.
    """

    confident: float = Field(gt=0.5, lt=1)
    steps: int = Field(ge=1)
    neighbours: int = Field(ge=1)


class MapParams(Params):
    """The 2D maps.

    Attributes:
        neighbors: UMAP's neighbourhood.
        perplexity: About how many neighbours t-SNE keeps near.
        images: Most test images, and most borderline images, that t-SNE places and the interactive
            map shows.
    """

    neighbors: int = Field(ge=2)
    perplexity: float = Field(ge=2)
    images: int = Field(ge=20)


class PrototypesParams(Params):
    """How prototypes are chosen, validated, explained and drawn.

    Attributes:
        selections: The ways to choose them that are compared.
        shown: The one that the figures show.
        images: Most borderline images that they are chosen from, drawn at random.
        criticisms: Images that MMD-critic says the prototypes miss.
        validation: How they are compared with chance.
        explanation: How they are explained.
        tipping: What would tip the model.
        map: The 2D maps.
    """

    selections: Annotated[tuple[Selection, ...], Field(min_length=1), AfterValidator(distinct)]
    shown: Selection
    images: int = Field(ge=50)
    criticisms: int = Field(ge=0)
    validation: ValidationParams
    explanation: ExplanationParams
    tipping: TippingParams
    map: MapParams

    @model_validator(mode="after")
    def _shows_what_it_selects(self) -> Self:
        if self.shown not in self.selections:
            raise ValueError(
                f"shown is {self.shown!r}, which selections does not name: choose one of "
                f"{', '.join(self.selections)}"
            )
        return self

"""Settings of the stage: ``parameters_prototypes.yml``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from borderline.boundary import uncentred
from borderline.params import Params, check_can_tell, distinct
from borderline.pipelines.prototypes.choosing.names import Selection

Method = Literal["gradient_shap", "saliency", "integrated_gradients", "occlusion"]

_WINDOW = 5 / 28
# A single pixel seldom changes the output of a model.
_SMALLEST_WINDOW = 2
_STEPS_OF_WINDOW = 5

WITHOUT_GRADIENTS: Method = "occlusion"


class ValidationParams(Params):
    """The comparison of prototypes with random images.

    Attributes:
        draws: Random choices of images behind a p-value.
        label_draws: Shuffled labels behind a p-value.
        resamples: Random parts of the images behind an interval.
        resample_images: Most images of such a part; else it is half of the images.
        repeats: Other seeds with which images are generated and clustered again.
        repeat_images: Most borderline images of each repeat.
        level: Significance level of the corrected p-values.
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
    """The attributions of the prototypes, and their tests.

    Attributes:
        methods: The attribution methods.
        shap_baseline: The baselines of GradientSHAP: the ``black`` image, the ``mean`` of the real
            training images, or real images of the ``other_class`` (the less probable one).
        shap_samples: Random points between baseline and image that GradientSHAP averages.
        steps: Points between black and the image of the integrated gradients.
        window: Side of the square that occlusion blackens, in pixels; None for the part of the
            image's shorter side that 5 pixels are of 28. It moves by a fifth of its side.
        curve_steps: Steps in which pixels are deleted and inserted.
        random_maps: Random orders of the pixels to compare an attribution with.
        randomisations: Times that the model's weights are drawn anew.
    """

    methods: Annotated[tuple[Method, ...], Field(min_length=1), AfterValidator(distinct)]
    shap_baseline: Literal["black", "mean", "other_class"]
    shap_samples: int = Field(ge=1)
    steps: int = Field(ge=2)
    window: int | None = Field(ge=1)
    curve_steps: int = Field(ge=2)
    random_maps: int = Field(ge=19)
    randomisations: int = Field(ge=1)

    def squares_of(self, height: int, width: int) -> tuple[tuple[int, int], int]:
        """Height and width of the square that occlusion blackens, and its steps, in pixels.

        A step of one pixel would take sixteen times as long for twice the side. Steps lead exactly
        to the far edges, because a square beyond an edge would blacken less than the others.
        """
        shorter = min(height, width)
        window = self.window or max(round(shorter * _WINDOW), _SMALLEST_WINDOW)
        # A square over the whole image would give all pixels the same value.
        window = max(min(window, shorter - 1), 1)
        step, rest = max(window // _STEPS_OF_WINDOW, 1), (height - window, width - window)
        if self.window is None:
            # A little more than a square where that makes the steps fit.
            return (window + rest[0] % step, window + rest[1] % step), step
        fitting = [n for n in range(1, step + 1) if rest[0] % n == rest[1] % n == 0]
        return (window, window), fitting[-1]

    def methods_of(self, has_gradients: bool) -> tuple[Method, ...]:
        """The methods that a model allows for: without gradients, only occlusion."""
        return tuple(m for m in self.methods if has_gradients or m == WITHOUT_GRADIENTS)


class TippingParams(Params):
    """The walks from each prototype to both classes.

    Attributes:
        confident: The model is confident of the positive class at this centred probability,
            ``sigmoid(logit p - logit t)``, or above; of the negative class at 1 minus this or
            below. For a threshold t of 0.5 this is p.
        steps: Images of the walk to each side.
        neighbours: Nearest real training images of each class.
    """

    confident: float = Field(gt=0.5, lt=1)
    steps: int = Field(ge=1)
    neighbours: int = Field(ge=1)

    def ends(self, threshold: float) -> tuple[float, float]:
        """The p at which the model is confident of the negative and of the positive class."""
        return uncentred(1 - self.confident, threshold), uncentred(self.confident, threshold)


class WordsParams(Params):
    """The comparison of each pattern with confident real images, in words.

    Attributes:
        images: Most images of a pattern and of a class; from more, so many are drawn at random.
        permutations: Random permutations behind a p-value.
        level: Significance level of the corrected p-values.
        least_effect: The least difference to put into words, in standard deviations.
    """

    images: int = Field(ge=10)
    permutations: int = Field(ge=19)
    level: float = Field(gt=0, lt=1)
    least_effect: float = Field(ge=0)

    @model_validator(mode="after")
    def _can_tell(self) -> Self:
        check_can_tell("permutations", self.permutations, self.level)
        return self


class MapParams(Params):
    """The 2D maps.

    Attributes:
        neighbors: UMAP's neighbourhood.
        perplexity: About the number of neighbours that t-SNE keeps near.
        images: Most test images, and most borderline images, on the t-SNE map and in the chart.
    """

    neighbors: int = Field(ge=2)
    perplexity: float = Field(ge=2)
    images: int = Field(ge=20)


class PrototypesParams(Params):
    """The choice, validation, explanation and maps of the prototypes.

    Attributes:
        selections: The selections to compare.
        shown: The selection in the figures.
        images: Most candidates; from more borderline images, so many are drawn at random.
        criticisms: Number of criticisms of MMD-critic.
        real_borderline: Number of random real borderline images beside the prototypes.
    """

    selections: Annotated[tuple[Selection, ...], Field(min_length=1), AfterValidator(distinct)]
    shown: Selection
    images: int = Field(ge=50)
    criticisms: int = Field(ge=0)
    real_borderline: int = Field(ge=0)
    validation: ValidationParams
    explanation: ExplanationParams
    tipping: TippingParams
    words: WordsParams
    map: MapParams

    @model_validator(mode="after")
    def _shows_what_it_selects(self) -> Self:
        if self.shown not in self.selections:
            raise ValueError(
                f"shown is {self.shown!r}, which selections does not name: choose one of "
                f"{', '.join(self.selections)}"
            )
        return self

"""Settings of the repair: ``parameters_repair.yml``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from borderline.params import Mark, Params, Setting, distinct

Arm = Literal["again", "boundary", "prototypes", "random", "uncertain", "augmented", "soft"]
AGAIN: Arm = "again"
"""The arm without added images; it and ``random`` are the controls."""


class AugmentationParams(Params):
    """Random changes of the images of the arm ``augmented``, by torchvision's ``RandomAffine``.

    Attributes:
        degrees: The largest rotation in degrees.
        translate: The largest shift, as a share of the side.
        scale: The smallest and the largest scale.
    """

    degrees: float = Field(ge=0, le=180)
    translate: float = Field(ge=0, lt=1)
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]

    @model_validator(mode="after")
    def _scales_are_in_order(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale is {list(self.scale)}: put the smaller number first")
        return self


class FinetuningParams(Params):
    """The fine-tuning of imported models from their weights, with Adam.

    Attributes:
        epochs: Passes over the training images, at most.
        learning_rate: Adam's learning rate.
        batch_size: Images per step.
    """

    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    batch_size: int = Field(ge=2)


class RepairParams(Params):
    """The repair of a model under test.

    Attributes:
        arms: The sets of images that are added to the training images: ``again`` (none),
            ``boundary`` (borderline images that the model is unsure of and the committee is sure
            of), ``prototypes`` (the same, nearest to the prototypes), ``random`` (images of the
            same generator that it makes without a search), ``uncertain`` (real images outside of
            the training that the model is least sure of), ``augmented`` (changed copies of
            training images), ``soft`` (borderline images with the committee's mean as their label).
        images: The number of added images of each arm, at most.
        seeds: The number of trainings of each arm; the same seeds in all arms.
        ambiguous: Whether ambiguous images are left out of the arms, or added with a soft label.
        fresh: The number of newly generated borderline images that the committee is sure of, at
            most, on which the models are tested.
        augmentation: The changes of the arm ``augmented``.
        finetuning: The training of imported models.
        keep: The arm whose model is kept; None for the one with the lowest mean loss on the
            selection images among those with added images.
    """

    arms: Annotated[tuple[Arm, ...], AfterValidator(distinct)]
    images: int = Field(ge=1)
    seeds: Annotated[int, Field(ge=2), Mark.CONTINUES]
    ambiguous: Literal["leave_out", "soft"]
    fresh: int = Field(ge=1)
    augmentation: AugmentationParams
    finetuning: FinetuningParams
    keep: Arm | None

    @model_validator(mode="after")
    def _has_a_control_and_another_arm(self) -> Self:
        if AGAIN not in self.arms or len(self.arms) < 2:
            raise ValueError(
                f"arms is {list(self.arms)}: it must name {AGAIN!r}, the arm without added "
                "images, and another arm"
            )
        if self.keep is not None and self.keep not in self.arms:
            raise ValueError(
                f"keep is {self.keep!r}, but arms is {list(self.arms)}: add it there, or choose "
                "another arm"
            )
        return self


def data_settings(repair: RepairParams) -> dict[str, Setting]:
    """The part of the fingerprint of all trainings that says which images they have."""
    return {
        "repair.images": repair.images,
        "repair.ambiguous": repair.ambiguous,
        "repair.fresh": repair.fresh,
    }

"""Settings of the verdicts: ``verdicts`` in ``parameters_metrics.yml``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from borderline.params import Params


class VerdictsParams(Params):
    """The thresholds of the verdicts on borderline images.

    Attributes:
        sure: The committee is sure of a class from this mean probability on.
        split: It splits between the two classes if both have this mean probability or more.
        beside: It sees another class if the classes beside the pair have more than this together.
        neighbours: k of the distance to the k-th nearest real training image.
        unrealistic: An image is unrealistic if it is farther from the training images than this
            share of the real test images.
        memorised: An image is memorised if it is nearer to a training image than all but this
            share of the real test images.
    """

    sure: float = Field(gt=0.5, le=1)
    split: float = Field(gt=0, le=0.5)
    beside: float = Field(gt=0, lt=1)
    neighbours: int = Field(ge=1)
    unrealistic: float = Field(gt=0.5, lt=1)
    memorised: float = Field(gt=0, lt=0.5)

    @model_validator(mode="after")
    def _exclude_each_other(self) -> Self:
        if self.sure + self.split <= 1:
            raise ValueError(
                f"sure ({self.sure:g}) and split ({self.split:g}) must add up to more than 1, so "
                "that no image is both sure and split"
            )
        return self

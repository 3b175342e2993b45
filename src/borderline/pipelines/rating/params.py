"""Settings of the rating by people: ``parameters_rating.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class RatingParams(Params):
    """The images of a rating page, and the use of the answers.

    Attributes:
        borderline: Borderline images in all, in equal parts of each pattern, prototypes included.
        real: Confident real test images of each class.
        blends: Blends of two confident real images, one of each class.
        least_right: The least share of the confident real images that a rater must get right; the
            answers of others are left out.
        resamples: Resamples of the images for the intervals of alpha and kappa.
    """

    borderline: int = Field(ge=1)
    real: int = Field(ge=1)
    blends: int = Field(ge=0)
    least_right: float = Field(ge=0, le=1)
    resamples: int = Field(ge=20)

"""Settings of the counterfactuals: ``counterfactuals`` in ``parameters_prototypes.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class CounterfactualsParams(Params):
    """The smallest changes of real images that change the decision of the model.

    Attributes:
        images: Most real test images: the errors first, the most confident one at the beginning,
            then the images nearest to the boundary within the band; 0 for none.
        shown: Most of these images on the page and in the figure.
        held_out: Random real test images whose reconstruction errors are the usual ones.
        encoded: The share of them that an image's reconstruction must not be worse than.
        flipped: The model decides otherwise about an image at this centred probability, or 1 minus
            this: a little beyond the boundary.
        steps: Steps of the search for the smallest change.
    """

    images: int = Field(ge=0, le=10_000)
    shown: int = Field(ge=1)
    held_out: int = Field(ge=10)
    encoded: float = Field(gt=0, le=1)
    flipped: float = Field(gt=0.5, lt=1)
    steps: int = Field(ge=10)

"""Settings of the comparison: ``parameters_compare.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class CompareParams(Params):
    """The comparison of two models.

    Attributes:
        this: A model of ``grid.models``; None for the first.
        other: The other model; None for the first of ``grid.models`` that is not ``this`` or, in
            another run, for the model of the same name.
        unsure: The share of real test images below whose confidence the other model is unsure.
        members: Images of each pattern on the page.
        disagreements: Images to search for on which the two models disagree; 0 for none.
        shown: At most so many of these images on the page.
    """

    this: str | None
    other: str | None
    unsure: float = Field(gt=0, lt=0.5)
    members: int = Field(ge=1)
    disagreements: int = Field(ge=0, le=1000)
    shown: int = Field(ge=1)

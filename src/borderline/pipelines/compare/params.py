"""Settings of the comparison: ``parameters_compare.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class CompareParams(Params):
    """How two models are compared.

    Attributes:
        this: A model of ``grid.models``; None for the first.
        other: The model to compare it with; None for the second of ``grid.models`` or, in another
            run, for one of the same name.
        unsure: The other model counts as unsure of an image when it is less sure of it than of all
            but this share of the real test images.
        members: Images of each pattern that the page shows.
    """

    this: str | None
    other: str | None
    unsure: float = Field(gt=0, lt=0.5)
    members: int = Field(ge=1)

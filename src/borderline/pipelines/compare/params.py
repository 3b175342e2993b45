"""Settings of the comparison: ``parameters_compare.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class CompareParams(Params):
    """How two models are compared.

    Attributes:
        this: A model of ``grid.models``; None for the first.
        other: The other model; None for the second of ``grid.models`` or, in another run, for the
            model of the same name.
        unsure: Share of the real test images nearest to the boundary: the other model counts as
            unsure of an image that is as near.
        members: Images of each pattern that the page shows.
    """

    this: str | None
    other: str | None
    unsure: float = Field(gt=0, lt=0.5)
    members: int = Field(ge=1)

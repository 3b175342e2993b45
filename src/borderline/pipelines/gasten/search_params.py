"""Settings of the search for generators: ``parameters_search.yml``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictFloat, StrictInt, model_validator

from borderline.params import Params, distinct
from borderline.pipelines.gasten.terms import TERMS, TermName

Number = StrictInt | StrictFloat


def _positive_range(ends: tuple[Number, Number]) -> tuple[Number, Number]:
    if not 0 < ends[0] <= ends[1]:
        raise ValueError("it must be [lowest, highest], both above 0")
    return ends


Range = Annotated[tuple[Number, Number], AfterValidator(_positive_range)]
"""The lowest and the highest value, above 0; only whole numbers where both are whole."""


class SearchParams(Params):
    """The search of ``kedro sweep --search``; a run without it reads none of these.

    Attributes:
        trials: The number of trials; a finished search continues with more.
        population: The trials of a generation of NSGA-II (Deb et al. 2002).
        generator: The entry of ``generators`` that gives the settings which are not searched.
        term: The terms to choose from.
        alpha: The range of the weight of each term; a term that finds its weight itself needs none.
        start: The first and the last epoch of step 1 to start from, None for its last one; None in
            place of both for the start of ``generator``.
        gan: Ranges of settings of ``gan`` in step 2, nested as there; None where not searched.
    """

    trials: int = Field(ge=1)
    population: int = Field(ge=2)
    generator: str
    term: Annotated[tuple[TermName, ...], Field(min_length=1), AfterValidator(distinct)]
    alpha: dict[TermName, Range]
    start: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)] | None] | None
    gan: dict[str, Range | dict[str, Range | None] | None]

    @model_validator(mode="after")
    def _terms_have_weights(self) -> Self:
        for term in self.term:
            if TERMS[term].weight is not None and term not in self.alpha:
                raise ValueError(f"alpha has no range for the term {term}: add {term}: [low, high]")
        for term in self.alpha:
            if TERMS[term].weight is None:
                raise ValueError(f"{term} finds its weight itself: remove it from alpha")
        return self

"""Settings of the gate: ``parameters_gate.yml``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from borderline.errors import did_you_mean
from borderline.findings import MEASURES
from borderline.params import Params


class Limit(Params):
    """The smallest and the largest allowed value of a measure; None for no limit."""

    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError("it must have least or most")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"its least, {self.least:g}, is above its most, {self.most:g}")
        return self


def _known(limits: dict[str, Limit | None]) -> dict[str, Limit | None]:
    for name in limits:
        if name not in MEASURES:
            hint = did_you_mean(name, MEASURES)
            raise ValueError(f"{name!r} is not a measure{hint}: choose from {', '.join(MEASURES)}")
    if not any(limits.values()):
        raise ValueError("it must have at least one limit")
    return limits


class GateParams(Params):
    """The limits for all models under test.

    Attributes:
        judged_by: ``value``, or ``interval``: the whole 95 % interval must be within the limit. A
            measure without an interval is judged by its value.
        limits: By the name of the measure, one of ``findings.MEASURES``; None removes a limit that
            another environment sets.
    """

    judged_by: Literal["value", "interval"]
    limits: Annotated[dict[str, Limit | None], AfterValidator(_known)]

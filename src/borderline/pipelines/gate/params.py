"""Settings of the gate: ``parameters_gate.yml``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from borderline.errors import did_you_mean
from borderline.findings import FIGURES
from borderline.params import Params


class Limit(Params):
    """What a figure must keep to.

    Attributes:
        least: It must not be below; None for no such limit.
        most: It must not be above; None likewise.
    """

    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError("it must have a least or a most")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"its least, {self.least:g}, is above its most, {self.most:g}")
        return self


def _known(limits: dict[str, Limit | None]) -> dict[str, Limit | None]:
    for name in limits:
        if name not in FIGURES:
            hint = did_you_mean(name, FIGURES)
            raise ValueError(f"{name!r} is no figure{hint}: choose from {', '.join(FIGURES)}")
    if not any(limits.values()):
        raise ValueError("it must have a limit at least")
    return limits


class GateParams(Params):
    """The limits that every model under test must keep to.

    Attributes:
        judged_by: ``value``, the figure itself, or ``interval``: the whole 95 % interval must keep
            to the limit. A figure without an interval is judged by its value.
        limits: By the name of the figure, one of ``findings.FIGURES``; None takes one away that
            another environment set.
    """

    judged_by: Literal["value", "interval"]
    limits: Annotated[dict[str, Limit | None], AfterValidator(_known)]

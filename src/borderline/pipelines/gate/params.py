"""Settings of the gate: ``parameters_gate.yml``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from borderline.errors import did_you_mean
from borderline.findings import MEASURES
from borderline.names import fault_of_path
from borderline.params import Params, distinct, without_fault

Share = Annotated[float, Field(ge=0, le=1)]


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


class WeaknessLimit(Params):
    """The limits of the accuracy on the images of a suite with the verdict ``weakness``.

    Attributes:
        least: The smallest allowed accuracy, in [0, 1]; None for no limit.
        below_former: The largest allowed difference by which it is below the accuracy of the former
            model on the same images; None for no limit.
    """

    least: Share | None
    below_former: Share | None


class AmbiguousLimit(Params):
    """The limits of the share of ambiguous images of a suite that the model is confident of.

    Attributes:
        most: The largest allowed share, in [0, 1]; None for no limit.
        above_former: The largest allowed difference by which it is above the share of the former
            model on the same images; None for no limit.
    """

    most: Share | None
    above_former: Share | None


class SuiteLimits(Params):
    """The limits for each suite; docs/suite.md has the numbers behind the default values."""

    weakness_accuracy: WeaknessLimit
    ambiguous_confident: AmbiguousLimit

    def of(self, measure: str) -> dict[str, float | None]:
        """The limits of a measure by name, ``weakness_accuracy`` or ``ambiguous_confident``."""
        limits: dict[str, float | None] = getattr(self, measure).plain()
        return limits

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The verdicts on the images that have a limit."""
        measures = {"weakness": "weakness_accuracy", "ambiguous": "ambiguous_confident"}
        known = {v: set(self.of(measure).values()) != {None} for v, measure in measures.items()}
        return tuple(verdict for verdict, has_limit in known.items() if has_limit)


def _known(limits: dict[str, Limit | None]) -> dict[str, Limit | None]:
    for name in limits:
        if name not in MEASURES:
            hint = did_you_mean(name, MEASURES)
            raise ValueError(f"{name!r} is not a measure{hint}: choose from {', '.join(MEASURES)}")
    return limits


def _none_at_all(limits: object) -> object:
    return {} if limits is None else limits


class GateParams(Params):
    """The limits for all models under test.

    Attributes:
        judged_by: ``value``, or ``interval``: the whole 95 % interval must be within the limit. A
            measure without an interval is judged by its value. A comparison with a former model
            is then closed only by a significant difference (McNemar's exact test).
        limits: By the name of the measure, one of ``findings.MEASURES``; None removes a limit that
            another environment sets, and None in place of all removes all.
        suites: The folders of suites on which all models are tested.
        suite_limits: The limits for each suite.
    """

    judged_by: Literal["value", "interval"]
    limits: Annotated[
        dict[str, Limit | None], BeforeValidator(_none_at_all), AfterValidator(_known)
    ]
    suites: Annotated[
        tuple[Annotated[str, without_fault(fault_of_path)], ...], AfterValidator(distinct)
    ]
    suite_limits: SuiteLimits

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if not self.suites and not self.has_limits:
            raise ValueError("limits must have at least one limit, or suites must name a suite")
        if self.suites and not self.suite_limits.verdicts:
            raise ValueError("suite_limits must have at least one limit, or suites must be empty")
        return self

    @property
    def has_limits(self) -> bool:
        """Whether there are limits on measures of the findings."""
        return any(self.limits.values())

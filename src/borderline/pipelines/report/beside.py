"""The results of pipelines beside the road, which the report shows if they are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from borderline.findings import Findings, Rating, Repair

Row = Mapping[str, Any]

OUT_OF_DATE = (
    "People rated an older run with other images or patterns: run `kedro run --pipelines rating` "
    "and ask them again."
)
OUT_OF_DATE_REPAIR = (
    "An older run with other images or patterns was repaired: run `kedro run --pipelines "
    "repair,report`."
)


def with_rating(findings: Findings, human_verdicts: Row, patterns: str) -> Findings:
    """The findings with what people see, unless they rated other patterns.

    Args:
        findings: The findings.
        human_verdicts: A ``Rating`` in JSON's types; empty for none.
        patterns: The fingerprint of the present patterns.
    """
    if not human_verdicts:
        return findings
    rating = Rating.read(human_verdicts)
    if rating.made_for != patterns:
        return findings.model_copy(update={"rating_note": OUT_OF_DATE})
    return findings.model_copy(update={"rating": rating, "rating_note": ""})


def with_repair(findings: Findings, summary: Row, patterns: str) -> Findings:
    """The findings with the outcome of a repair, unless it was made for other patterns.

    Args:
        findings: The findings.
        summary: A ``Repair`` in JSON's types; empty for none.
        patterns: The fingerprint of the present patterns.
    """
    if not summary:
        return findings
    repair = Repair.read(summary)
    if repair.made_for != patterns:
        return findings.model_copy(update={"repair_note": OUT_OF_DATE_REPAIR})
    return findings.model_copy(update={"repair": repair})

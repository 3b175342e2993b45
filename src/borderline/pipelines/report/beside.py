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
_KINDS: Mapping[str, tuple[type[Rating | Repair], str]] = {
    "rating": (Rating, OUT_OF_DATE),
    "repair": (
        Repair,
        "An older run with other images or patterns was repaired: run `kedro run --pipelines "
        "repair,report`.",
    ),
}
"""The content of each result, and the note that replaces a result of other patterns."""


def with_results(findings: Findings, results: Mapping[str, Row], patterns: str) -> Findings:
    """The findings with what people see and with the outcome of a repair.

    Args:
        findings: The findings.
        results: The ``rating`` and the ``repair``, in JSON's types; empty for none.
        patterns: The fingerprint of the present patterns. A result for others is not shown.
    """
    changed: dict[str, Any] = {}
    for name, result in results.items():
        if result:
            kind, out_of_date = _KINDS[name]
            read = kind.read(result)
            fits = read.made_for == patterns
            changed |= {name: read, f"{name}_note": ""} if fits else {f"{name}_note": out_of_date}
    return findings.model_copy(update=changed)

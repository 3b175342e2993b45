"""The gate: all limits for all models under test."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_all
from borderline.grid import current, node
from borderline.pipelines.gate import nodes

_REPLAYED = "replayed_suites_table"


def create_pipeline() -> Pipeline:
    """Check the findings of the last run, and the replay of suites, against the limits.

    The replay takes no more than the models, so that it needs no generator.
    """
    layout = current()
    findings = [f"{model}.findings" for model in layout.models] if layout.limits else []
    more = {name: name for name in findings}
    if not layout.suites:
        return for_all("gate", Pipeline([node(nodes.check_limits, "gate_table", more=more)]))
    replay = node(
        nodes.replay_suites,
        _REPLAYED,
        more={n: n for m in layout.models for n in (f"{m}.classifier", f"{m}.boundary")},
        confident="params:prototypes.tipping.confident",
    )
    gate = node(nodes.check_limits, "gate_table", more=more, replayed_suites_table=_REPLAYED)
    return for_all("gate", Pipeline([replay, gate]))

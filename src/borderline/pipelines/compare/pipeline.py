"""The comparison of two models: measures, patterns that both share, disagreements, and a page."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_all
from borderline.grid import current, node
from borderline.params import Pairing
from borderline.pipelines.compare import nodes

_OF_MODEL = ("findings", "classifier", "borderline", "clusters", "prototypes", "real_view")


def create_pipeline() -> Pipeline:
    """Compare the two models of ``compare``; nothing without a context."""
    pairing = current().pairing
    if pairing is None:
        return Pipeline([])
    sides = _sides(pairing)
    samplers = {"sampler": f"{pairing.this}.sampler"}
    if not pairing.elsewhere:
        samplers["other_sampler"] = f"{pairing.other}.sampler"
    comparison = Pipeline(
        [
            node(nodes.compare_models, ["compared_measures_table", "compared_errors"], more=sides),
            node(nodes.carry_patterns_over, "compared_patterns_table", more=sides),
            node(
                nodes.find_disagreements,
                ["disagreements", "disagreement_search"],
                more=sides,
                **samplers,
            ),
            node(nodes.judge_disagreements, "disagreements_table", more=sides),
            node(nodes.write_comparison, "comparison", more=sides),
        ]
    )
    return for_all("compare", comparison)


def _sides(pairing: Pairing) -> dict[str, str]:
    """The datasets of both sides by keyword: ``this.findings``, ``other.findings``, ..."""
    sides: dict[str, str] = {}
    other_run = "other_run." if pairing.elsewhere else ""
    for side, run, model in (("this", "", pairing.this), ("other", other_run, pairing.other)):
        sides |= {f"{side}.{dataset}": f"{run}{model}.{dataset}" for dataset in _OF_MODEL}
        sides[f"{side}.pair_test"] = f"{run}pair_test"
    return sides

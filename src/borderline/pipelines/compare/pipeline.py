"""The comparison: figures, patterns carried over from each model to the other, and a page."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import current, for_all
from borderline.pipelines.compare import nodes

_OF_THE_RUN = "pair_test"


def create_pipeline() -> Pipeline:
    """Hold the two models of ``compare`` side by side; nothing without a context."""
    pairing = current().pairing
    if pairing is None:
        return Pipeline([])
    elsewhere = "other_run." if pairing.elsewhere else ""
    parts = [
        f"{run}{name}" if name == _OF_THE_RUN else f"{run}{model}.{name}"
        for run, model in (("", pairing.this), (elsewhere, pairing.other))
        for name in nodes.Parts._fields
    ]
    settings = ["params:pairing", "params:compare", "params:run"]
    comparison = Pipeline(
        [
            Node(
                nodes.compare_models,
                inputs=["params:pairing", "params:run", *parts],
                outputs=["compared_figures", "compared_errors"],
                name="compare_models",
            ),
            Node(
                nodes.carry_patterns_over,
                inputs=[*settings, *parts],
                outputs="compared_patterns",
                name="carry_patterns_over",
            ),
            Node(
                nodes.write_comparison,
                inputs=[
                    *settings,
                    "compared_figures",
                    "compared_errors",
                    "compared_patterns",
                    *parts,
                ],
                outputs="comparison",
                name="write_comparison",
            ),
        ]
    )
    return for_all("compare", comparison)

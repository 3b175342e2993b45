"""Stage 6: the findings of each model, what the page shows of them, the page and the cards."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import current, for_all, for_each_model
from borderline.pipelines.report import nodes
from borderline.pipelines.report.gathering import Tables

_VIEWS = ("model_view", "generators_view", "patterns_view", "validation_view")
_ORIGIN = ["installation", "parameters"]


def create_pipeline() -> Pipeline:
    """What there is to say of every model, then one page for all and a card for each."""
    layout = current()
    generators = list(layout.generators)
    model = Pipeline(
        [
            Node(
                nodes.gather_findings,
                inputs=[
                    "pair_names",
                    "classifier",
                    "pair_train",
                    "pair_test",
                    "params:confusion",
                    *Tables._fields,
                ],
                outputs="findings",
                name="gather_findings",
            ),
            Node(
                nodes.show_model,
                inputs=[
                    "findings",
                    "classifier_scores",
                    "classifier_figure",
                    "classifier",
                    "pair_test",
                    "params:confusion",
                    "params:report",
                    "params:run",
                ],
                outputs="model_view",
                name="show_model",
            ),
            Node(
                nodes.show_generators,
                inputs=[
                    "leaderboard",
                    "leaderboard_figure",
                    "front_figure",
                    "curves_figure",
                    "histograms_figure",
                    "pair_train",
                    "classifier",
                    "params:report",
                    "params:run",
                    *(f"{name}.images" for name in generators),
                ],
                outputs="generators_view",
                name="show_generators",
            ),
            Node(
                nodes.show_patterns,
                inputs=[
                    "findings",
                    "borderline",
                    "embeddings",
                    "clusters",
                    "prototypes",
                    "attributions",
                    "explanation_scores",
                    "tipping",
                    "real_patterns",
                    "matches",
                    "repeats",
                    "map_page",
                    "pair_train",
                    "pair_test",
                    "params:report",
                ],
                outputs="patterns_view",
                name="show_patterns",
            ),
            Node(
                nodes.show_validation,
                inputs=[
                    "findings",
                    "validation",
                    "validation_figure",
                    "coverage_figure",
                    "faithfulness_figure",
                    "rejection_figure",
                ],
                outputs="validation_view",
                name="show_validation",
            ),
        ]
    )
    for_people = Pipeline(
        [
            Node(
                nodes.write_report,
                inputs=[
                    "params:grid",
                    "params:call",
                    "params:run",
                    *_ORIGIN,
                    *(f"{name}.{part}" for name in layout.models for part in ("findings", *_VIEWS)),
                ],
                outputs="report",
                name="write_report",
            ),
        ]
    )
    for_hubs = Pipeline(
        [
            Node(
                nodes.write_cards,
                inputs=[
                    "params:grid",
                    "params:call",
                    "params:run",
                    "params:report",
                    *_ORIGIN,
                    *(f"{name}.findings" for name in layout.models),
                ],
                outputs=[f"{name}.model_card" for name in layout.models],
                name="write_cards",
            )
        ]
        if layout.models
        else []
    )
    shared = ["pair_names", "pair_train", "pair_test"]
    return for_each_model("report", model, shared=shared) + for_all("report", for_people + for_hubs)

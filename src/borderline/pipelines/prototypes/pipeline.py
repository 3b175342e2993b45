"""Stage 5: the prototypes of every model."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.grid import for_each_model, node
from borderline.pipelines.prototypes import nodes


def create_pipeline() -> Pipeline:
    """Choose, validate, explain, map and use the prototypes of each model."""
    model = Pipeline(
        [
            node(
                nodes.select_prototypes,
                ["selections", "prototypes", "prototypes_table", "criticisms_figure"],
            ),
            node(nodes.place_images, "places"),
            node(nodes.map_prototypes, ["map_figure", "map_chart"]),
            node(nodes.repeat_patterns, ["repeats", "repeats_table"]),
            node(
                nodes.match_prototypes,
                ["matches_table", "found_again_figure"],
                settings="params:prototypes",
            ),
            node(
                nodes.validate_prototypes,
                [
                    *("validation_table", "coverage_curves_table"),
                    *("validation_figure", "coverage_chart"),
                ],
            ),
            node(
                nodes.explain_prototypes,
                [
                    *("attributions", "explanation_scores_table"),
                    *("prototypes_figure", "faithfulness_figure"),
                ],
                settings="params:prototypes",
            ),
            node(
                nodes.tip_prototypes,
                ["tipping", "tipping_table", "tipping_figure"],
                settings="params:prototypes",
            ),
            node(
                nodes.evaluate_patterns,
                ["errors_near_patterns_table", "rejection_table", "rejection_figure"],
            ),
        ]
    )
    return for_each_model("prototypes", model, shared=["pair_train", "pair_test"])

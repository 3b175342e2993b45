"""Stage 5: the prototypes of every model."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_each_model
from borderline.grid import current, node
from borderline.pipelines.prototypes.choosing import nodes as choosing
from borderline.pipelines.prototypes.explaining import nodes as explaining
from borderline.pipelines.prototypes.mapping import nodes as mapping
from borderline.pipelines.prototypes.usefulness import nodes as usefulness


def create_pipeline() -> Pipeline:
    """Choose, validate, explain, map and use the prototypes of each model."""
    model = Pipeline(
        [
            node(
                choosing.select_prototypes,
                ["selections", "prototypes", "prototypes_table", "criticisms_figure"],
            ),
            node(mapping.place_images, "places"),
            node(mapping.map_prototypes, ["map_figure", "map_chart"]),
            node(choosing.repeat_patterns, ["repeats", "repeats_table"]),
            node(
                choosing.match_prototypes,
                ["matches_table", "found_again_figure"],
                settings="params:prototypes",
            ),
            node(
                choosing.measure_reproducibility,
                ["reproducibility_table", "comparisons_table", "reproducibility_figure"],
                settings="params:prototypes",
            ),
            node(
                choosing.validate_prototypes,
                [
                    *("validation_table", "coverage_curves_table"),
                    *("validation_figure", "coverage_chart"),
                ],
            ),
            node(
                explaining.explain_prototypes,
                [
                    *("attributions", "explanation_scores_table"),
                    *("prototypes_figure", "faithfulness_figure"),
                ],
                settings="params:prototypes",
            ),
            node(
                explaining.tip_prototypes,
                ["tipping", "tipping_table", "tipping_figure"],
                settings="params:prototypes",
            ),
            node(usefulness.judge_patterns, "pattern_verdicts_table"),
            node(
                explaining.explain_real_images,
                ["real_borderline", "real_attributions", "real_borderline_figure"],
                settings="params:prototypes",
            ),
            node(explaining.describe_patterns, "words_table", settings="params:prototypes"),
            node(
                explaining.explain_test_images,
                ["counterfactuals", "counterfactuals_table", "counterfactuals_figure"],
                settings="params:counterfactuals",
            ),
            node(
                usefulness.evaluate_patterns,
                ["errors_near_patterns_table", "rejection_table", "rejection_figure"],
            ),
        ]
    )
    if current().also:
        outputs = [f"combination_{n}" for n in ("prototypes", "prototypes_table", "maps_figure")]
        maps = node(mapping.show_combinations, outputs, settings="params:prototypes")
        model += Pipeline([maps])
    return for_each_model(
        "prototypes",
        model,
        shared=[
            *("pair_train", "pair_test", "pair_names", "pair_columns_table", "judge"),
            *("committee", "held_out", "real_reference"),
        ],
    )

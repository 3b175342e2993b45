"""Stage 5: the prototypes of every model, and one table of the run."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.grid import current, for_all, for_each_model, node
from borderline.pipelines.prototypes import summary
from borderline.pipelines.prototypes.choosing import nodes as choosing
from borderline.pipelines.prototypes.explaining import nodes as explaining
from borderline.pipelines.prototypes.mapping import nodes as mapping
from borderline.pipelines.prototypes.usefulness import nodes as usefulness


def create_pipeline() -> Pipeline:
    """Choose, validate, explain, map and use each model's prototypes, then summarise all models."""
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
            node(
                usefulness.evaluate_patterns,
                ["errors_near_patterns_table", "rejection_table", "rejection_figure"],
            ),
            node(summary.summarise_model, "summary_table"),
        ]
    )
    tables = [f"{name}.summary_table" for name in current().models]
    of_all = Pipeline(
        [node(summary.summarise, "summary_table", more=dict(zip(tables, tables, strict=True)))]
    )
    return for_each_model("prototypes", model, shared=["pair_train", "pair_test"]) + for_all(
        "prototypes", of_all
    )

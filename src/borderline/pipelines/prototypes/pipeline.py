"""Stage 5: the prototypes of every model, and one table of the run."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import current, for_all, for_each_model
from borderline.pipelines.prototypes import summary
from borderline.pipelines.prototypes.choosing import nodes as choosing
from borderline.pipelines.prototypes.explaining import nodes as explaining
from borderline.pipelines.prototypes.mapping import nodes as mapping
from borderline.pipelines.prototypes.usefulness import nodes as usefulness

_SETTINGS = ["params:prototypes", "params:run"]


def create_pipeline() -> Pipeline:
    """Choose, validate, explain, map and use each model's prototypes, then summarise all models."""
    model = Pipeline(
        [
            Node(
                choosing.select_prototypes,
                inputs=["borderline", "embeddings", "clusters", "cluster_sizes", *_SETTINGS],
                outputs=["selections", "prototypes", "prototype_table", "criticisms_figure"],
                name="select_prototypes",
            ),
            Node(
                mapping.place_images,
                inputs=["embeddings", "selections", "pair_test", "classifier", *_SETTINGS],
                outputs="places",
                name="place_images",
            ),
            Node(
                mapping.map_prototypes,
                inputs=[
                    "borderline",
                    "clusters",
                    "selections",
                    "places",
                    "pair_test",
                    "classifier",
                    *_SETTINGS,
                ],
                outputs=["map_figure", "map_page"],
                name="map_prototypes",
            ),
            Node(
                choosing.repeat_patterns,
                inputs=[
                    "sampler",
                    "classifier",
                    "pair_train",
                    "embeddings",
                    "cluster_model",
                    "cluster_sizes",
                    "params:confusion",
                    *_SETTINGS,
                ],
                outputs=["repeats", "repeat_table"],
                name="repeat_patterns",
            ),
            Node(
                choosing.match_prototypes,
                inputs=["prototypes", "embeddings", "repeats", *_SETTINGS],
                outputs=["matches", "found_again_figure"],
                name="match_prototypes",
            ),
            Node(
                choosing.validate_prototypes,
                inputs=[
                    "borderline",
                    "embeddings",
                    "clusters",
                    "selections",
                    "places",
                    "repeats",
                    "pair_test",
                    "classifier",
                    "cluster_model",
                    "params:confusion",
                    *_SETTINGS,
                ],
                outputs=["validation", "coverage_curves", "validation_figure", "coverage_figure"],
                name="validate_prototypes",
            ),
            Node(
                explaining.explain_prototypes,
                inputs=[
                    "prototypes",
                    "prototype_table",
                    "cluster_scores",
                    "pair_train",
                    "classifier",
                    *_SETTINGS,
                ],
                outputs=[
                    "attributions",
                    "explanation_scores",
                    "prototype_figure",
                    "faithfulness_figure",
                ],
                name="explain_prototypes",
            ),
            Node(
                explaining.tip_prototypes,
                inputs=[
                    "prototypes",
                    "embeddings",
                    "pair_train",
                    "classifier",
                    "sampler",
                    *_SETTINGS,
                ],
                outputs=["tipping", "tipping_table", "tipping_figure"],
                name="tip_prototypes",
            ),
            Node(
                explaining.draw_cluster_sheets,
                inputs=[
                    "borderline",
                    "embeddings",
                    "clusters",
                    "prototypes",
                    "prototype_table",
                    "attributions",
                    "tipping",
                    "tipping_table",
                    "real_patterns",
                    "pair_train",
                    "pair_test",
                    "params:prototypes",
                ],
                outputs="cluster_sheets",
                name="draw_cluster_sheets",
            ),
            Node(
                usefulness.evaluate_patterns,
                inputs=[
                    "prototypes",
                    "embeddings",
                    "selections",
                    "cluster_model",
                    "cluster_sizes",
                    "pair_test",
                    "classifier",
                    "params:run",
                ],
                outputs=["errors_near_patterns", "rejection", "rejection_figure"],
                name="evaluate_patterns",
            ),
            Node(
                summary.summarise_model,
                inputs=[
                    "classifier_scores",
                    "leaderboard",
                    "cluster_scores",
                    "prototype_table",
                    "validation",
                    "errors_near_patterns",
                    "params:prototypes",
                ],
                outputs="summary",
                name="summarise_model",
            ),
        ],
    )
    of_all = Pipeline(
        [
            Node(
                summary.summarise,
                inputs=["params:grid", *(f"{model}.summary" for model in current().models)],
                outputs="summary",
                name="summarise",
            )
        ],
    )
    return for_each_model("prototypes", model, shared=["pair_train", "pair_test"]) + for_all(
        "prototypes", of_all
    )

"""Stage 5: the prototypes of every model, and one table of the run."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import current, for_all, for_each_model
from borderline.pipelines.prototypes import nodes

_SUMMARISED = ("classifier_scores", "leaderboard", "cluster_scores", "prototype_table")


def create_pipeline() -> Pipeline:
    """Select, explain and map each model's prototypes, then summarise all models."""
    model = Pipeline(
        [
            Node(
                nodes.select_prototypes,
                inputs=["borderline", "clusters", "cluster_sizes"],
                outputs=["prototypes", "prototype_table"],
                name="select_prototypes",
            ),
            Node(
                nodes.explain_prototypes,
                inputs=[
                    "prototypes",
                    "prototype_table",
                    "cluster_scores",
                    "classifier",
                    "params:prototypes",
                    "params:run",
                ],
                outputs=["attributions", "prototype_figure"],
                name="explain_prototypes",
            ),
            Node(
                nodes.map_prototypes,
                inputs=[
                    "embeddings",
                    "clusters",
                    "prototypes",
                    "pair_test",
                    "classifier",
                    "params:prototypes",
                    "params:run",
                ],
                outputs="map_figure",
                name="map_prototypes",
            ),
        ],
    )
    summary = Pipeline(
        [
            Node(
                nodes.summarise,
                inputs=[
                    "params:grid",
                    *(f"{model}.{table}" for model in current().models for table in _SUMMARISED),
                ],
                outputs="summary",
                name="summarise",
            )
        ],
    )
    return for_each_model("prototypes", model, shared=["pair_test"]) + for_all(
        "prototypes", summary
    )

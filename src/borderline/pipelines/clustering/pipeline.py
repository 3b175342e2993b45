"""Stage 4: embeddings, the search for a recipe, and the clusters that it gives."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import for_each_model
from borderline.pipelines.clustering import nodes


def create_pipeline() -> Pipeline:
    """The clusters of each model's borderline images."""
    model = Pipeline(
        [
            Node(
                nodes.embed_borderline,
                inputs=["borderline", "classifier", "params:run"],
                outputs="embeddings",
                name="embed_borderline",
            ),
            Node(
                nodes.search_clusters,
                inputs=["embeddings", "study_storage", "params:clustering", "params:run"],
                outputs="trials",
                name="search_clusters",
            ),
            Node(
                nodes.cluster_borderline,
                inputs=[
                    "borderline",
                    "embeddings",
                    "trials",
                    "params:clustering",
                    "params:run",
                ],
                outputs=["clusters", "cluster_scores", "cluster_sizes", "cluster_figure"],
                name="cluster_borderline",
            ),
        ],
    )
    return for_each_model("clustering", model)

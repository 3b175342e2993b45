"""Stage 4: embeddings, the search for a recipe, doubts about it, and the clusters it gives."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import for_each_model
from borderline.pipelines.clustering import nodes

_SETTINGS = ["params:clustering", "params:run"]


def create_pipeline() -> Pipeline:
    """The clusters of each model's borderline images."""
    model = Pipeline(
        [
            Node(
                nodes.embed_borderline,
                inputs=["borderline", "classifier", *_SETTINGS],
                outputs="embeddings",
                name="embed_borderline",
            ),
            Node(
                nodes.search_clusters,
                inputs=["embeddings", "study_storage", *_SETTINGS],
                outputs=["trials", "combinations"],
                name="search_clusters",
            ),
            Node(
                nodes.plot_search,
                inputs=["embeddings", "trials", "study_storage", *_SETTINGS],
                outputs=["history_figure", "importances_figure", "slices_figure"],
                name="plot_search",
            ),
            Node(
                nodes.choose_recipe,
                inputs=["embeddings", "trials", *_SETTINGS],
                outputs=["recipe", "finalists", "cluster_stability"],
                name="choose_recipe",
            ),
            Node(
                nodes.compare_with_noise,
                inputs=["embeddings", "finalists", *_SETTINGS],
                outputs="structure",
                name="compare_with_noise",
            ),
            Node(
                nodes.cluster_borderline,
                inputs=[
                    "borderline",
                    "embeddings",
                    "recipe",
                    "finalists",
                    "cluster_stability",
                    "structure",
                    *_SETTINGS,
                ],
                outputs=[
                    "clusters",
                    "cluster_model",
                    "cluster_scores",
                    "cluster_sizes",
                    "cluster_figure",
                ],
                name="cluster_borderline",
            ),
            Node(
                nodes.assign_real_images,
                inputs=[
                    "pair_test",
                    "classifier",
                    "cluster_model",
                    "cluster_sizes",
                    "params:confusion",
                    "params:run",
                ],
                outputs=["real_patterns", "real_patterns_figure"],
                name="assign_real_images",
            ),
        ],
    )
    return for_each_model("clustering", model, shared=["pair_test"])

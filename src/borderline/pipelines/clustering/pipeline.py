"""Stage 4: embeddings, the search for a recipe, the tests of that recipe, and its clusters."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_each_generator, for_each_model
from borderline.grid import base_name, current, node
from borderline.pipelines.clustering import nodes


def create_pipeline() -> Pipeline:
    """The clusters of each model's borderline images."""
    images = {name: name for name in (f"{each}.images" for each in current().generators)}
    model = Pipeline(
        [
            node(nodes.pool_borderline, "pool", more=images),
            node(nodes.embed_borderline, "embeddings"),
            node(nodes.search_clusters, ["trials_table", "combinations_table"]),
            node(
                nodes.plot_search,
                ["search_history_chart", "search_importances_chart", "search_slices_chart"],
            ),
            node(
                nodes.choose_recipe,
                ["recipe", "finalists_table", "cluster_stability_table"],
            ),
            node(nodes.compare_with_noise, "structure_table"),
            node(
                nodes.cluster_borderline,
                [
                    *("clusters", "cluster_model", "cluster_scores_table", "cluster_sizes_table"),
                    "clusters_figure",
                ],
            ),
            node(nodes.assign_real_images, ["real_patterns_table", "real_patterns_figure"]),
        ],
    )
    if current().also:
        outputs = [
            "combination_clusters",
            "combination_scores_table",
            "combination_agreement_table",
        ]
        model += Pipeline([node(nodes.cluster_combinations, outputs)])
    shared = ["pair_train", "pair_test", "pair_names", "judge"]
    return for_each_model("clustering", model, shared=shared) + for_each_generator(
        "clustering",
        lambda _: Pipeline([node(nodes.cluster_alone, "alone_table")]),
        shared=shared,
        of_model=["classifier", "boundary", "study_storage"],
        only=[name for name in current().generators if base_name(name) in current().alone],
    )

"""The rating by people: a page for each model, and the answers that came back."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_all, for_each_model
from borderline.grid import current, node
from borderline.pipelines.rating import nodes


def create_pipeline() -> Pipeline:
    """Choose images, write the pages, and summarise the answers; nothing without a context."""
    models = current().models
    if not models:
        return Pipeline([])
    items = {name: name for name in (f"{model}.rating_items" for model in models)}
    confident = "params:prototypes.tipping.confident"
    limits = "params:verdicts"
    summaries = ["agreement_table", "human_verdicts_table", "human_verdicts"]
    of_model = Pipeline(
        [
            node(nodes.choose_rating_items, "rating_items", confident=confident),
            node(nodes.read_ratings, "ratings_table", more=items),
            node(nodes.check_raters, "raters_table"),
            node(
                nodes.summarise_ratings,
                summaries,
                beside=f"{limits}.beside",
                split=f"{limits}.split",
            ),
            node(nodes.count_answers, "human_labels"),
        ]
    )
    pages = [f"{model}.rating_page" for model in models]
    of_all = Pipeline([node(nodes.write_rating_pages, pages, more=items)])
    shared = ["pair_names", "pair_test", "rating_answers", *items]
    return for_each_model("rating", of_model, shared=shared) + for_all("rating", of_all)

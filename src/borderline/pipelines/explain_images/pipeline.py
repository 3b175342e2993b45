"""The explanation of a folder of images, for each model under test."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_each_model
from borderline.grid import current, node
from borderline.pipelines.explain_images import nodes
from borderline.pipelines.explain_images.entries import OWN_IMAGES


def create_pipeline() -> Pipeline:
    """Explain the images of ``images``; nothing without a context."""
    return Pipeline([_of_model(model) for model in current().models])


def _of_model(model: str) -> Pipeline:
    explained = node(
        nodes.explain_own_images,
        ["own_counterfactuals", "own_images_table", "own_images_figure", "own_images_page"],
        settings="params:counterfactuals",
        # The keyword tells the node the name of the model.
        more={f"{model}.boundary": "boundary"},
    )
    shared = [
        *(OWN_IMAGES, "pair_train", "pair_test", "pair_names", "judge", "committee"),
        "real_reference",
    ]
    return for_each_model("explain_images", Pipeline([explained]), shared=shared, models=[model])

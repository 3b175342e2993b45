"""The suite of each model under test."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_each_model
from borderline.grid import current, node
from borderline.pipelines.suite import nodes
from borderline.pipelines.suite.merged import MERGED


def create_pipeline() -> Pipeline:
    """Freeze the findings about each model; nothing without a context."""
    return Pipeline([_of_model(model) for model in current().models])


def _of_model(model: str) -> Pipeline:
    freeze = node(
        nodes.freeze_suite,
        "suite",
        # The keyword tells the node the name of the model.
        more={f"{model}.findings": "findings"},
        license_name="params:report.license",
    )
    shared = ["installation", MERGED]
    return for_each_model("suite", Pipeline([freeze]), shared=shared, models=[model])

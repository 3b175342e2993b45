"""Stage 2: the trainings that all models share, then every generator of every model."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import (
    for_all,
    for_each_gan,
    for_each_generator,
    for_each_model,
    for_each_once,
)
from borderline.grid import current, node
from borderline.params import GeneratorParams
from borderline.pipelines.gasten import nodes
from borderline.pipelines.gasten.kinds import KINDS
from borderline.pipelines.gasten.wiring import REFERENCE, node_of_epochs, reads_real_images


def create_pipeline() -> Pipeline:
    """Step 1 once for each repetition, then the images of each generator."""
    layout = current()
    step_1 = node_of_epochs(
        nodes.train_gan,
        ["gan.checkpoints", "gan.history_table", "gan.samples"],
        checkpoints_so_far="gan.checkpoints_so_far",
    )
    real = [
        node_of_epochs(nodes.describe_real_images, "real_statistics", epoch_reference=REFERENCE)
    ]
    model = [
        node_of_epochs(nodes.describe_real_view, "model_statistics", epoch_reference=REFERENCE)
    ]
    shared = [
        node_of_epochs(nodes.make_test_noise, "test_noise"),
        *(real if reads_real_images(layout) else []),
    ]
    return (
        for_all("gasten", Pipeline(shared))
        + for_each_model(
            "gasten",
            Pipeline(model if "classifier" in layout.epoch_judges else []),
            shared=["source"],
        )
        + for_each_gan("gasten", Pipeline([step_1]))
        + for_each_once("gasten", lambda s: KINDS[s.kind].create_shared_pipeline(s))
        + for_each_generator(
            "gasten",
            _generator,
            shared=[
                *("pair_train", "test_noise", "judge", "committee", "real_features"),
                *("real_statistics", "inception"),
            ],
            of_model=["classifier", "boundary", "real_view", "model_statistics"],
        )
    )


def _generator(settings: GeneratorParams) -> Pipeline:
    images = Pipeline([node(nodes.make_images, ["images", "outcome_table"])])
    return KINDS[settings.kind].create_pipeline(settings) + images

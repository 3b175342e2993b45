"""Stage 2: the plain GAN once a run, then every generator of every model under test."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.grid import for_all, for_each_gan, for_each_generator, node
from borderline.params import GeneratorParams
from borderline.pipelines.gasten import nodes
from borderline.pipelines.gasten.kinds import KINDS


def create_pipeline() -> Pipeline:
    """Step 1 once for each repetition, then the images of each generator."""
    step_1 = node(
        nodes.train_gan,
        ["gan.checkpoints", "gan.history_table", "gan.samples"],
        checkpoints_so_far="gan.checkpoints_so_far",
    )
    return (
        for_all("gasten", Pipeline([node(nodes.make_test_noise, "test_noise")]))
        + for_each_gan("gasten", Pipeline([step_1]))
        + for_each_generator(
            "gasten",
            _generator,
            shared=["pair_train", "test_noise", "judge", "real_features"],
            of_model=["classifier", "boundary", "real_view"],
        )
    )


def _generator(settings: GeneratorParams) -> Pipeline:
    images = Pipeline([node(nodes.make_images, ["images", "outcome_table"])])
    return KINDS[settings.kind].create_pipeline(settings) + images

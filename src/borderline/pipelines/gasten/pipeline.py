"""Stage 2: the plain GAN once a run, then every generator of every model under test."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import for_all, for_each_gan, for_each_generator
from borderline.pipelines.gasten import nodes
from borderline.pipelines.gasten.kinds import KINDS


def create_pipeline() -> Pipeline:
    """Step 1 once for each repetition, then the images of each generator."""
    noise = Pipeline(
        [
            Node(
                nodes.make_test_noise,
                inputs=["params:generation", "params:gan", "params:run"],
                outputs="test_noise",
                name="make_test_noise",
            )
        ]
    )
    step_1 = Pipeline(
        [
            Node(
                nodes.train_gan,
                inputs=[
                    "pair_train",
                    "test_noise",
                    "judge",
                    "real_features",
                    "gan.checkpoints_so_far",
                    "params:gan",
                    "params:pair",
                    "params:run",
                ],
                outputs=["gan.checkpoints", "gan.history", "gan.samples"],
                name="train_gan",
            ),
        ],
    )
    images = Pipeline(
        [
            Node(
                nodes.make_images,
                inputs=["sampler", "classifier", "pair_train", "params:generation", "params:run"],
                outputs=["images", "outcome"],
                name="make_images",
            )
        ]
    )
    return (
        for_all("gasten", noise)
        + for_each_gan("gasten", step_1)
        + for_each_generator(
            "gasten",
            lambda settings: KINDS[settings.kind].create_pipeline(settings) + images,
            shared=["pair_train", "test_noise", "judge", "real_features"],
            of_model=["classifier"],
        )
    )

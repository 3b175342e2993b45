"""Stage 2: the plain GAN once, then every generator of every model under test."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import for_all, for_each_generator
from borderline.pipelines.gasten import nodes


def create_pipeline() -> Pipeline:
    """Step 1 once, then step 2 and its images for each generator."""
    step_1 = Pipeline(
        [
            Node(
                nodes.make_test_noise,
                inputs=["params:generation", "params:gan", "params:run"],
                outputs="test_noise",
                name="make_test_noise",
            ),
            Node(
                nodes.train_gan,
                inputs=[
                    "pair_train",
                    "test_noise",
                    "gan_checkpoints_so_far",
                    "params:gan",
                    "params:pair",
                    "params:run",
                ],
                outputs=["gan_checkpoints", "gan_history", "gan_samples"],
                name="train_gan",
            ),
        ],
    )
    step_2 = Pipeline(
        [
            Node(
                nodes.train_generator,
                inputs=[
                    "pair_train",
                    "test_noise",
                    "gan_checkpoints",
                    "checkpoints_so_far",
                    "classifier",
                    "params:generator",
                    "params:gan",
                    "params:confusion",
                    "params:run",
                ],
                outputs=["checkpoints", "history", "samples"],
                name="train_generator",
            ),
            Node(
                nodes.keep_last_generator,
                inputs=["checkpoints", "params:generator", "params:gan"],
                outputs="generator",
                name="keep_last_generator",
            ),
            Node(
                nodes.generate_images,
                inputs=["generator", "classifier", "params:generation", "params:run"],
                outputs="images",
                name="generate_images",
            ),
        ],
    )
    return for_all("gasten", step_1) + for_each_generator(
        "gasten",
        step_2,
        shared=["pair_train", "test_noise", "gan_checkpoints"],
        of_model=["classifier"],
    )

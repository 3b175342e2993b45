"""Stage 1: the pair, the models under test, and the judge."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import current, for_all, for_each_model
from borderline.pipelines.classifier import nodes


def create_pipeline() -> Pipeline:
    """The pair and the judge once, then every model under test: trained here, or imported."""
    shared = Pipeline(
        [
            Node(
                nodes.select_pair,
                inputs=["source", "params:pair", "params:run"],
                outputs=["pair_train", "pair_test", "pair_names"],
                name="select_pair",
            ),
            Node(
                nodes.train_judge,
                inputs=[
                    "source",
                    "judge_checkpoints_so_far",
                    "params:judge",
                    "params:pair",
                    "params:run",
                ],
                outputs=["judge_checkpoints", "judge_history"],
                name="train_judge",
            ),
            Node(
                nodes.keep_best_judge,
                inputs=[
                    "judge_checkpoints",
                    "source",
                    "params:judge",
                    "params:pair",
                    "params:run",
                ],
                outputs=["judge", "judge_scores"],
                name="keep_best_judge",
            ),
            Node(
                nodes.embed_real_images,
                inputs=["judge", "pair_train", "pair_test", "params:run"],
                outputs="real_features",
                name="embed_real_images",
            ),
        ],
    )
    trained = Pipeline(
        [
            Node(
                nodes.train_classifier,
                inputs=[
                    "pair_train",
                    "classifier_checkpoints_so_far",
                    "params:model",
                    "params:classifier",
                    "params:pair",
                    "params:run",
                ],
                outputs=["classifier_checkpoints", "classifier_history"],
                name="train_classifier",
            ),
            Node(
                nodes.keep_best_classifier,
                inputs=["classifier_checkpoints", "params:model", "params:classifier"],
                outputs="classifier",
                name="keep_best_classifier",
            ),
        ],
    )
    imported = Pipeline(
        [
            Node(
                nodes.import_classifier,
                inputs=["imported_file", "pair_train", "judge", "params:model"],
                outputs="classifier",
                name="import_classifier",
            ),
        ],
    )
    judged = Pipeline(
        [
            Node(
                nodes.evaluate_classifier,
                inputs=["classifier", "pair_test", "params:confusion", "params:run"],
                outputs=["classifier_scores", "classifier_figure"],
                name="evaluate_classifier",
            ),
            Node(
                nodes.calibrate_classifier,
                inputs=["classifier", "pair_train", "params:classifier", "params:run"],
                outputs="calibration",
                name="calibrate_classifier",
            ),
        ],
    )
    layout, of_all = current(), ["pair_train", "pair_test", "judge"]
    return (
        for_all("classifier", shared)
        + for_each_model("classifier", trained, shared=of_all, models=layout.trained)
        + for_each_model("classifier", imported, shared=of_all, models=layout.imported)
        + for_each_model("classifier", judged, shared=of_all)
    )

"""The repair of each model under test: labelled images, trainings, and their outcome."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_all, for_each_model
from borderline.grid import current, node
from borderline.imported.catalog import PRETRAINED
from borderline.pipelines.repair import nodes

_TRAINING = "params:classifier"


def create_pipeline() -> Pipeline:
    """Repair each model under test that is not itself a repaired one; nothing without a context."""
    layout = current()
    models = [model for model in layout.models if model not in layout.repaired]
    trained = [model for model in models if model not in (*layout.pretrained, *layout.imported)]
    gathered = Pipeline(
        [
            node(
                nodes.gather_repair_images,
                ["repair_images", "repair_labels_table"],
                training=_TRAINING,
            ),
            node(nodes.generate_fresh, "fresh"),
        ]
    )
    known = Pipeline([node(nodes.find_test_copies, "test_copies")])
    outputs = ["repair_trainings", "repair_history_table"]
    of_training = Pipeline([node(nodes.train_repairs, outputs, training=_TRAINING)])
    finetuned = Pipeline(
        [node(nodes.train_repairs, outputs, training=_TRAINING, pretrained=PRETRAINED)]
    )
    scored = Pipeline(
        [
            node(
                nodes.score_repairs,
                ["repair_scores_table", "repair_table", "repair_figure", "repair_summary"],
            ),
            node(nodes.keep_repaired, "repaired"),
        ]
    )
    shared = [
        *("test_copies", "pair_train", "pair_test", "pair_names", "committee", "judge", "held_out"),
        "source",
    ]
    return (
        (for_all("repair", known) if models else Pipeline([]))
        + for_each_model("repair", gathered, shared=shared, models=models)
        + for_each_model(
            "repair", of_training, shared=shared, models=[*trained, *_imported(models)]
        )
        + for_each_model(
            "repair", finetuned, shared=shared, models=[m for m in models if m in layout.pretrained]
        )
        + for_each_model("repair", scored, shared=shared, models=models)
    )


def _imported(models: list[str]) -> list[str]:
    return [model for model in models if model in current().imported]

"""Stage 1: the pair, the models under test, and the judge."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.grid import JUDGE, current, for_all, for_each_member, for_each_model, node
from borderline.imported.catalog import IMPORTED_FILE, PRETRAINED
from borderline.pipelines.classifier import nodes


def create_pipeline() -> Pipeline:
    """The pair and the judges once, then each model under test, trained here or imported."""
    layout, of_all = current(), ["pair_train", "pair_test", "pair_names", "judge"]
    at_random = [model for model in layout.trained if model not in layout.pretrained]
    shared = Pipeline(
        [
            node(
                nodes.select_pair, ["pair_train", "pair_test", "pair_names", "pair_columns_table"]
            ),
            node(nodes.embed_real_images, "real_features"),
            node(
                nodes.gather_committee,
                ["committee", "committee_scores_table"],
                more={name: name for name in layout.members or (JUDGE,)},
            ),
        ]
    )
    judges = Pipeline(
        [
            node(nodes.train_judge, ["judge_checkpoints", "judge_history_table"]),
            node(nodes.keep_best_judge, ["judge", "judge_scores_table"]),
        ]
    )
    if not layout.members:
        imported_file = f"{JUDGE}.{IMPORTED_FILE}"
        shared += Pipeline([node(nodes.import_judge, "judge", imported_file=imported_file)])
    of_training = ["classifier_checkpoints", "classifier_history_table"]
    trained = Pipeline([node(nodes.train_classifier, of_training)])
    finetuned = Pipeline([node(nodes.train_classifier, of_training, pretrained=PRETRAINED)])
    kept = Pipeline([node(nodes.keep_best_classifier, "classifier")])
    imported = Pipeline([node(nodes.import_classifier, "classifier")])
    evaluated = Pipeline(
        [
            node(nodes.view_real_images, "real_view"),
            node(nodes.choose_boundary, "boundary"),
            node(nodes.evaluate_classifier, ["classifier_scores_table", "classifier_figure"]),
            node(nodes.calibrate_classifier, "calibration_table", training="params:classifier"),
        ]
    )
    return (
        for_all("classifier", shared)
        + for_each_member("classifier", judges)
        + for_each_model("classifier", trained + kept, shared=of_all, models=at_random)
        + for_each_model("classifier", finetuned + kept, shared=of_all, models=layout.pretrained)
        + for_each_model("classifier", imported, shared=of_all, models=layout.imported)
        + for_each_model("classifier", evaluated, shared=of_all)
    )

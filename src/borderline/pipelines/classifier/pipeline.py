"""Stage 1: the pair, the models under test, and the judge."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Pipeline

from borderline.copies import for_all, for_each_member, for_each_model
from borderline.grid import JUDGE, current, node
from borderline.imported.catalog import IMPORTED_FILE, PRETRAINED
from borderline.pipelines.classifier import nodes


def create_pipeline() -> Pipeline:
    """The pair and the judges once, then each model: trained here, imported or repaired."""
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
    others = [model for model in layout.models if model not in layout.repaired]
    return (
        for_all("classifier", shared)
        + for_each_member("classifier", judges)
        + for_each_model("classifier", trained + kept, shared=of_all, models=at_random)
        + for_each_model("classifier", finetuned + kept, shared=of_all, models=layout.pretrained)
        + for_each_model("classifier", imported, shared=of_all, models=layout.imported)
        + for_each_model("classifier", _evaluated(), shared=of_all, models=others)
        + Pipeline([_repaired(name, of, of_all) for name, of in layout.repaired.items()])
    )


def _evaluated(**more: Any) -> Pipeline:
    """The evaluation of a model; ``more`` are inputs of the nodes of the validation images."""
    of_training: dict[str, Any] = {"training": "params:classifier", **more}
    return Pipeline(
        [
            node(nodes.view_real_images, "real_view"),
            node(nodes.choose_boundary, "boundary", **more),
            node(nodes.evaluate_classifier, ["classifier_scores_table", "classifier_figure"]),
            node(nodes.calibrate_classifier, "calibration_table", **of_training),
        ]
    )


def _repaired(name: str, of: str, shared: list[str]) -> Pipeline:
    """The repaired version ``name`` of the model ``of``, and its evaluation."""
    source, original = f"{of}.repaired", f"params:models.{of}"
    taken = node(nodes.take_repaired, "classifier", repaired=source, original=original)
    template = Pipeline([taken]) + _evaluated(repaired="params:model")
    return for_each_model("classifier", template, shared=[*shared, source], models=[name])

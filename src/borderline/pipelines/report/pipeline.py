"""Stage 6: the findings of each model, the sections of the page, the page and the model cards."""

from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Pipeline

from borderline.copies import for_all, for_each_model
from borderline.grid import current, node
from borderline.pipelines.report import nodes


def create_pipeline() -> Pipeline:
    """The findings and sections of every model; summary, page and model cards of all."""
    layout = current()
    images = _by_name(f"{generator}.images" for generator in layout.generators)
    findings, summaries = (
        _by_name(f"{model}.{name}" for model in layout.models)
        for name in ("findings", "summary_table")
    )
    views = _by_name(f"{model}.{s}_view" for model in layout.models for s in nodes.SECTIONS)
    tables, level = _by_name(nodes.TABLES), "params:prototypes.validation.level"
    changes = "params:counterfactuals"
    model = Pipeline(
        [
            node(nodes.summarise_model, "summary_table", more=_by_name(nodes.SUMMARISED)),
            node(nodes.show_model, "model_view"),
            node(nodes.show_generators, "generators_view", more=images),
            node(nodes.show_patterns, "patterns_view"),
            node(nodes.show_errors, "errors_view", settings=changes),
            node(nodes.show_validation, "validation_view"),
        ]
    )
    gathered, repaired = (
        Pipeline([node(nodes.gather_findings, "findings", more=tables, level=level, **of_repair)])
        for of_repair in ({}, {"repaired": "params:model"})
    )
    compared = _by_name(f"{model}.{n}" for model in layout.models for n in nodes.COMPARED)
    compared = compared if layout.also else {}
    of_all = [
        node(nodes.summarise, "summary_table", more=summaries),
        node(nodes.write_report, "report", more=findings | views | compared),
    ]
    if layout.also:
        pages = [f"{model}.combinations_page" for model in layout.models]
        of_all.append(node(nodes.write_combinations, pages, more=findings | compared))
    if layout.models:
        cards = [f"{model}.model_card" for model in layout.models]
        of_all.append(node(nodes.write_cards, cards, more=findings))
    shared = ["pair_names", "pair_train", "pair_test", "committee_scores_table"]
    others = [model for model in layout.models if model not in layout.repaired]
    return (
        for_each_model("report", gathered, shared=shared, models=others)
        + for_each_model("report", repaired, shared=shared, models=layout.repaired)
        + for_each_model("report", model, shared=shared)
        + for_all("report", Pipeline(of_all))
    )


def _by_name(datasets: Iterable[str]) -> dict[str, str]:
    return {name: name for name in datasets}

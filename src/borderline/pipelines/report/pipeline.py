"""Stage 6: the findings of each model, the sections of the page, the page and the model cards."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.grid import current, for_all, for_each_model, node
from borderline.pipelines.report import nodes


def create_pipeline() -> Pipeline:
    """The findings and sections of every model, then one page for all and a card for each."""
    layout = current()
    images = {name: name for name in (f"{generator}.images" for generator in layout.generators)}
    findings = {name: name for name in (f"{model}.findings" for model in layout.models)}
    views = {
        name: name
        for name in (f"{model}.{s}_view" for model in layout.models for s in nodes.SECTIONS)
    }
    tables = {name: name for name in nodes.TABLES}
    model = Pipeline(
        [
            node(nodes.gather_findings, "findings", more=tables),
            node(nodes.show_model, "model_view"),
            node(nodes.show_generators, "generators_view", more=images),
            node(nodes.show_patterns, "patterns_view"),
            node(nodes.show_validation, "validation_view"),
        ]
    )
    shared = [node(nodes.write_report, "report", more=findings | views)]
    if layout.models:
        cards = [f"{model}.model_card" for model in layout.models]
        shared.append(node(nodes.write_cards, cards, more=findings))
    return for_each_model(
        "report", model, shared=["pair_names", "pair_train", "pair_test"]
    ) + for_all("report", Pipeline(shared))

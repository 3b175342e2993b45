"""The nodes of stage 6."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING, Any

from borderline.findings import Findings

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from torch import nn

    from borderline.boundary import Boundary
    from borderline.counterfactuals.params import CounterfactualsParams
    from borderline.grid import Grid
    from borderline.params import CallParams, RunParams
    from borderline.pipelines.classifier.params import RepairedModelParams
    from borderline.pipelines.report.page import View
    from borderline.pipelines.report.params import ReportParams
    from borderline.records import (
        Attributions,
        Clusters,
        Counterfactuals,
        Embeddings,
        LabelledImages,
        Part,
        Prototypes,
        RealBorderline,
        RealView,
        Repeats,
        Tipping,
    )

TABLES = (
    *("classifier_scores_table", "calibration_table", "leaderboard_table", "cluster_scores_table"),
    *("prototypes_table", "repeats_table", "matches_table", "reproducibility_table"),
    "validation_table",
    *("explanation_scores_table", "tipping_table", "words_table", "real_patterns_table"),
    *("errors_near_patterns_table", "rejection_table"),
    *("verdicts_table", "pattern_verdicts_table"),
)
"""The tables about a model that its findings rest on."""

SUMMARISED = (
    *("classifier_scores_table", "leaderboard_table", "cluster_scores_table", "validation_table"),
    "errors_near_patterns_table",
)
"""The tables about a model that give its row of the summary."""

COMPARED = (
    *("combination_scores_table", "combination_agreement_table", "combination_prototypes_table"),
    *("combination_maps_figure", "borderline"),
)
"""The datasets about a model that its page of combinations shows, with ``clustering.also``."""

SECTIONS = ("model", "generators", "patterns", "errors", "validation")
"""The sections of the page about a model; the dataset of each is called ``<section>_view``."""


def gather_findings(
    pair_names: dict[str, str],
    classifier: nn.Module,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    borderline: Part,
    clusters: Clusters,
    prototypes: Prototypes,
    human_verdicts: dict[str, Any],
    repair_summary: dict[str, Any],
    committee_scores_table: pd.DataFrame,
    boundary: Boundary,
    *,
    level: float,
    run: RunParams,
    repaired: RepairedModelParams | None = None,
    **tables: pd.DataFrame,
) -> dict[str, Any]:
    """The findings about a model, from ``TABLES``; ``level`` is that of the validation.

    ``human_verdicts`` is empty where people rated nothing, and ``repair_summary`` without a repair.
    """
    from borderline.findings import digest_of_patterns
    from borderline.measures.leaks import RealImages, leaks
    from borderline.pipelines.report.beside import with_results
    from borderline.pipelines.report.gathering import gather

    train_images = len(pair_train["labels"])
    judges = int(committee_scores_table["members"].iloc[0])
    findings = gather(
        *(tables, pair_names, classifier, train_images, judges, boundary, level),
        quick=run.quick,
        test_groups=len(pair_test["groups"].unique()) if "groups" in pair_test else None,
        leaks=leaks(RealImages.of(pair_train, pair_test)),
        repaired_from=repaired.of if repaired is not None else "",
    )
    patterns = digest_of_patterns(borderline, clusters, prototypes)
    results = {"rating": human_verdicts, "repair": repair_summary}
    return with_results(findings, results, patterns).model_dump(mode="json")


def summarise_model(findings: dict[str, Any], **tables: pd.DataFrame) -> pd.DataFrame:
    """The findings about a model in one row, with the numbers of ``SUMMARISED``."""
    from borderline.pipelines.report.gathering import summary_of

    return summary_of(Findings.read(findings), tables)


def summarise(*, grid: Grid, **summaries: pd.DataFrame) -> pd.DataFrame:
    """The summary of the run: one row a model, from ``<model>.summary_table``."""
    from pandas import concat

    rows = [summaries[f"{model}.summary_table"] for model in grid.models]
    table = concat(rows, ignore_index=True)
    table.insert(0, "model", list(grid.models))
    return table


def show_model(
    findings: dict[str, Any],
    classifier_scores_table: pd.DataFrame,
    classifier_figure: bytes,
    real_view: RealView,
    pair_test: LabelledImages,
    *,
    report: ReportParams,
) -> View:
    """The section about the model: its scores, its real borderline images, its errors."""
    from borderline.pipelines.report.views import view_model

    return view_model(
        Findings.read(findings),
        classifier_scores_table,
        classifier_figure,
        real_view["test_p"],
        pair_test,
        report.real_images,
    )


def show_generators(
    leaderboard_table: pd.DataFrame,
    leaderboard_chart: go.Figure,
    front_chart: go.Figure,
    curves_chart: go.Figure,
    histograms_chart: go.Figure,
    pair_train: LabelledImages,
    real_view: RealView,
    boundary: Boundary,
    *,
    report: ReportParams,
    **images: Any,
) -> View:
    """The section about the generators: their images, leaderboard, front and trainings."""
    from borderline.pages.rendering import chart
    from borderline.pipelines.report.views import view_leaderboard, view_strips

    parts = {name.removesuffix(".images"): value for name, value in images.items()}
    real, threshold = (pair_train["images"], real_view["train_p"]), boundary["threshold"]
    return {
        "strips": view_strips(leaderboard_table, parts, real, report.samples, threshold),
        "leaderboard": view_leaderboard(leaderboard_table),
        "charts": {
            "leaderboard": chart(leaderboard_chart),
            "front": chart(front_chart),
            "curves": chart(curves_chart),
            "histograms": chart(histograms_chart),
        },
    }


def show_patterns(
    findings: dict[str, Any],
    borderline: Part,
    embeddings: Embeddings,
    clusters: Clusters,
    prototypes: Prototypes,
    attributions: Attributions,
    explanation_scores_table: pd.DataFrame,
    tipping: Tipping,
    real_borderline: RealBorderline,
    real_attributions: Attributions,
    real_patterns_table: pd.DataFrame,
    matches_table: pd.DataFrame,
    repeats: Repeats,
    map_chart: go.Figure,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    *,
    report: ReportParams,
) -> View:
    """The section about the patterns: the map, and a card for each, ``report.patterns`` in full.

    Real borderline images with their attributions stand beside them, as a baseline.
    """
    from borderline.pages.rendering import chart
    from borderline.pipelines.report import patterns as views

    model = Findings.read(findings)
    cards = views.view_prototypes(model, prototypes)
    full, t = model.patterns[: report.patterns], model.threshold
    details = zip(
        views.view_attributions(full, prototypes, attributions, explanation_scores_table),
        views.view_walks(full, tipping, pair_train["images"], t),
        views.view_members(full, borderline, embeddings, clusters, prototypes, report.members, t),
        views.view_real_images(full, real_patterns_table, pair_test, report.real_images, t),
        views.view_partners(full, matches_table, repeats),
        strict=True,
    )
    for card, entries in zip(cards, details, strict=False):
        card.update(ChainMap(*entries, {"full": True}))
    baseline = views.view_real_borderline(
        model, real_borderline, real_attributions, explanation_scores_table
    )
    return {"map": chart(map_chart), "patterns": cards, "baseline": baseline}


def show_errors(
    counterfactuals: Counterfactuals,
    counterfactuals_table: pd.DataFrame,
    pair_names: dict[str, str],
    boundary: Boundary,
    *,
    settings: CounterfactualsParams,
) -> View:
    """The section about errors and borderline images, and the smallest changes of the decision."""
    from borderline.measures.class_names import ClassNames
    from borderline.pages.counterfactuals import view_counterfactuals

    names = ClassNames.of(pair_names)
    return view_counterfactuals(
        counterfactuals, counterfactuals_table, names, boundary["threshold"], settings
    )


def show_validation(
    findings: dict[str, Any],
    validation_table: pd.DataFrame,
    reproducibility_figure: bytes,
    validation_figure: bytes,
    coverage_chart: go.Figure,
    faithfulness_figure: bytes,
    rejection_figure: bytes,
    repair_figure: bytes,
) -> View:
    """The section about the validation of the patterns, of their attributions, and the repair.

    ``repair_figure`` is empty without a repair.
    """
    from borderline.pages.rendering import chart
    from borderline.pipelines.report.views import view_figures, view_repair, view_validation

    figures = (reproducibility_figure, validation_figure, faithfulness_figure, rejection_figure)
    return {
        "table": view_validation(validation_table),
        "coverage": chart(coverage_chart),
        "figures": view_figures(Findings.read(findings), *figures),
        **view_repair(Findings.read(findings), repair_figure),
    }


def write_report(
    installation: dict[str, Any],
    parameters: dict[str, Any],
    *,
    grid: Grid,
    call: CallParams,
    run: RunParams,
    **views: Any,
) -> str:
    """The page of the run, from the findings and the sections of each model.

    It links the page of combinations of a model whose ``COMPARED`` are there.
    """
    from borderline.pipelines.report.page import Model, Origin, render

    models = [
        Model(
            name=name,
            findings=Findings.read(views[f"{name}.findings"]),
            **{section: views[f"{name}.{section}_view"] for section in SECTIONS},
            has_combinations=f"{name}.{COMPARED[0]}" in views,
        )
        for name in grid.models
    ]
    return render(models, Origin.of(call, run, installation, parameters))


def write_cards(
    installation: dict[str, Any],
    parameters: dict[str, Any],
    *,
    grid: Grid,
    call: CallParams,
    run: RunParams,
    report: ReportParams,
    **findings: dict[str, Any],
) -> list[str]:
    """A model card for each model, in the order of the grid."""
    from borderline.pipelines.report.card import write_card
    from borderline.pipelines.report.page import Origin

    origin = Origin.of(call, run, installation, parameters)
    return [
        write_card(name, Findings.read(findings[f"{name}.findings"]), origin, report.license)
        for name in grid.models
    ]


def write_combinations(*, grid: Grid, **compared: Any) -> list[str]:
    """The page of combinations of each model, in the order of the grid, from ``COMPARED``."""
    from borderline.pipelines.report.combinations import render

    return [
        render(
            name,
            Findings.read(compared[f"{name}.findings"]),
            *(compared[f"{name}.{dataset}"] for dataset in COMPARED),
        )
        for name in grid.models
    ]

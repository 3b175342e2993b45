"""The nodes of the rating."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

    from borderline.boundary import Boundary
    from borderline.grid import Grid
    from borderline.params import RunParams
    from borderline.pipelines.rating.params import RatingParams
    from borderline.records import (
        Clusters,
        LabelledImages,
        Part,
        Prototypes,
        RatingItems,
        RealView,
    )


def choose_rating_items(
    borderline: Part,
    clusters: Clusters,
    prototypes: Prototypes,
    pair_test: LabelledImages,
    real_view: RealView,
    boundary: Boundary,
    *,
    rating: RatingParams,
    confident: float,
    run: RunParams,
) -> RatingItems:
    """Choose the images that people rate; ``confident`` is that of the tipping."""
    from borderline.measures.confusion import centred
    from borderline.pipelines.rating.items import choose_items

    return choose_items(
        borderline,
        clusters,
        prototypes,
        pair_test,
        centred(real_view["test_p"], boundary["threshold"]),
        rating=rating,
        confident=confident,
        run=run,
    )


def write_rating_pages(
    pair_names: dict[str, str], *, grid: Grid, **items: RatingItems
) -> list[str]:
    """A page for each model, in the order of the grid, from ``<model>.rating_items``."""
    from borderline.pipelines.rating.page import render

    return [render(model, items[f"{model}.rating_items"], pair_names) for model in grid.models]


def read_ratings(
    rating_answers: dict[str, str],
    pair_names: dict[str, str],
    rating_items: RatingItems,
    *,
    grid: Grid,
    **items: RatingItems,
) -> DataFrame:
    """The answers of people to the images of a model.

    A file belongs to the model of its page, so the items of all models tell whether it belongs to
    any.
    """
    from borderline.pipelines.rating.answers import raters_by_model
    from borderline.pipelines.rating.items import fingerprint, ids_of
    from borderline.pipelines.rating.raters import table_of_answers

    by_model = {model: items[f"{model}.rating_items"] for model in grid.models}
    pages = {model: fingerprint(of_model, pair_names) for model, of_model in by_model.items()}
    ids = {model: ids_of(of_model) for model, of_model in by_model.items()}
    raters = raters_by_model(rating_answers, pages, ids)
    page = fingerprint(rating_items, pair_names)
    model = next(model for model in grid.models if pages[model] == page)
    return table_of_answers(rating_items, raters[model])


def check_raters(
    ratings_table: DataFrame, rating_items: RatingItems, *, rating: RatingParams
) -> DataFrame:
    """The raters of a model's images, and the share of the controls that each gets right."""
    from borderline.pipelines.rating.raters import table_of_raters

    return table_of_raters(ratings_table, len(rating_items["kind"]), rating.least_right)


def summarise_ratings(
    ratings_table: DataFrame,
    raters_table: DataFrame,
    rating_items: RatingItems,
    borderline: Part,
    clusters: Clusters,
    prototypes: Prototypes,
    pair_names: dict[str, str],
    verdicts_table: DataFrame,
    *,
    rating: RatingParams,
    beside: float,
    split: float,
    run: RunParams,
) -> tuple[DataFrame, DataFrame, dict[str, Any]]:
    """Agreement, verdicts, and both for the report: empty if nobody answered.

    The opinions of the committee are in ``verdicts_table``; ``beside`` and ``split`` are the
    limits of the verdicts.
    """
    from borderline.findings import digest_of_patterns
    from borderline.pipelines.rating.agreement import committee_answers, table_of_agreement
    from borderline.pipelines.rating.raters import counts_of_used
    from borderline.pipelines.rating.verdicts import rating_of, table_of_verdicts

    counts = counts_of_used(ratings_table, raters_table, len(rating_items["kind"]))
    opinions = committee_answers(verdicts_table, beside=beside, split=split)
    agreement = table_of_agreement(counts, rating_items, opinions, rating, run)
    alpha = agreement.set_index(["measure", "kind"])["value"]["alpha", "borderline"]
    rows = prototypes["rows"]
    verdicts = table_of_verdicts(counts, rating_items, rows, float(alpha), pair_names)
    if len(raters_table) == 0:
        return agreement, verdicts, {}
    made_for = digest_of_patterns(borderline, clusters, prototypes)
    record = rating_of(made_for, raters_table, agreement, verdicts, rating.least_right)
    return agreement, verdicts, record.model_dump(mode="json")


def count_answers(
    ratings_table: DataFrame,
    raters_table: DataFrame,
    rating_items: RatingItems,
    borderline: Part,
    clusters: Clusters,
    prototypes: Prototypes,
) -> dict[str, Any]:
    """The answers to each borderline image by its row, for the repair and the suite.

    Only answers of raters whose answers count; empty if nobody answered.
    """
    from borderline.findings import digest_of_patterns
    from borderline.pipelines.rating.raters import answers_by_row

    if len(raters_table) == 0:
        return {}
    answers = answers_by_row(ratings_table, raters_table, rating_items)
    return {"made_for": digest_of_patterns(borderline, clusters, prototypes), "answers": answers}

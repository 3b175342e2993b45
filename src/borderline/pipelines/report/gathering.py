"""From the tables of the other stages to the findings about a model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from borderline.findings import Findings, Measured, Pattern, number_of
from borderline.measures.intervals import Estimate, estimate_of_share
from borderline.records import LabelledImages

Row = dict[str, Any]

LEVEL = 0.05
"""Up to this p-value a map counts as better than random ones."""

# A map that keeps so much of its order when the model's weights are drawn anew is not of the model.
_SAME_ORDER = 0.5


class Tables(NamedTuple):
    """What the other stages left about one model; the datasets of the same names."""

    classifier_scores: pd.DataFrame
    calibration: pd.DataFrame
    leaderboard: pd.DataFrame
    cluster_scores: pd.DataFrame
    prototype_table: pd.DataFrame
    repeat_table: pd.DataFrame
    matches: pd.DataFrame
    validation: pd.DataFrame
    explanation_scores: pd.DataFrame
    tipping_table: pd.DataFrame
    real_patterns: pd.DataFrame
    errors_near_patterns: pd.DataFrame
    rejection: pd.DataFrame
    summary: pd.DataFrame


def gather(
    tables: Tables,
    names: dict[str, str],
    classifier: nn.Module,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    band: float,
) -> Findings:
    """The findings about one model.

    Args:
        tables: What there is about it.
        names: Of the ``source`` and of the two classes.
        classifier: The model.
        pair_train: The real training images.
        pair_test: The real test images.
        band: Half the width of the borderline band.
    """
    chosen = _first(tables.leaderboard[tables.leaderboard["chosen"]])
    scores, clusters = _first(tables.classifier_scores), _first(tables.cluster_scores)
    patterns = tuple(_pattern(row, tables) for row in _rows(tables.prototype_table))
    shown = str(tables.prototype_table["chosen_by"].iloc[0]) if patterns else ""
    validation = tables.validation[tables.validation["chosen_by"] == shown]
    settings: dict[str, Any] = getattr(classifier, "settings", {})
    kind = settings.get("model.kind", type(classifier).__name__)
    filters = settings.get("model.filters")
    doubts = tables.summary["doubts"].iloc[0]
    return Findings(
        **names,
        kind=getattr(classifier, "described", None)
        or (kind if filters is None else f"{kind}, filters {filters}"),
        weights=getattr(classifier, "weights", None)
        or sum(weight.numel() for weight in classifier.parameters()),
        other_mass=number_of(scores.get("other_mass")),
        train_images=len(pair_train["labels"]),
        test_images=int(scores["test_images"]),
        errors=int(scores["false_positive"] + scores["false_negative"]),
        errors_near_p=number_of(_near(tables)["any"].get("p_value")),
        band=band,
        temperature=number_of(tables.calibration["temperature"].iloc[0]),
        generator=str(chosen["source"]),
        rule=str(chosen["rule"]),
        made=int(chosen["borderline"]),
        borderline_images=int(clusters["images"]),
        noise=number_of(clusters["noise"]),
        recipe=_text(clusters["recipe"]),
        figures=_figures(tables, chosen, validation, len(patterns)),
        patterns=patterns,
        shown=shown,
        validation=tuple(validation["says"]),
        maps=tuple(_say_of_map(row) for row in _rows(tables.explanation_scores)),
        abstaining=_say_of_abstaining(tables.rejection),
        doubts=tuple(doubt for doubt in _text(doubts).split("; ") if doubt),
        note=_text(clusters["note"]),
    )


def _figures(
    tables: Tables, chosen: Row, validation: pd.DataFrame, patterns: int
) -> dict[str, Measured]:
    scores, clusters = _first(tables.classifier_scores), _first(tables.cluster_scores)
    images = int(scores["test_images"])
    right = int(scores["true_negative"] + scores["true_positive"])
    near = _near(tables)["any"]
    figures = {
        "accuracy": Measured.of(estimate_of_share(right, images), images),
        "ece": Measured.of(Estimate(scores["ece"], np.nan, np.nan), images),
        "borderline_test": Measured.of(
            estimate_of_share(int(scores["borderline_test_images"]), images), images
        ),
        **{
            name: Measured.of(_estimate(chosen, name), chosen["images"])
            for name in ("yield", "acd", "hubris")
        },
        "fd_lenet": Measured.of(_estimate(chosen, "fd_lenet"), _whole(chosen["fd_lenet_n"])),
        "patterns": Measured(value=patterns),
        # Without the range of the resamples, which is no interval of their mean.
        "cluster_stability": Measured(value=number_of(clusters["ari_resamples"])),
        "near_patterns": Measured(),
        "errors_near": Measured(),
    }
    for name, measure in (("coverage", "coverage_area"), ("found_again", "stability")):
        rows = _rows(validation[validation["measure"] == measure])
        ends = [(row["value"], row["low"], row["high"]) for row in rows]
        figures[name] = Measured.of(Estimate(*ends[0])) if ends else Measured()
    if pd.notna(near["images"]):
        errors = images - right
        figures["near_patterns"] = Measured.of(
            estimate_of_share(int(near["images"]), images), images
        )
        figures["errors_near"] = Measured.of(estimate_of_share(int(near["errors"]), errors), errors)
    return figures


def _pattern(prototype: Row, tables: Tables) -> Pattern:
    number, cluster = int(prototype["prototype"]), int(prototype["cluster"])
    found = tables.matches[tables.matches["prototype"] == number]["similarity"]
    here = _near(tables).get(str(cluster), {"images": 0, "errors": 0})
    ways = tables.tipping_table[tables.tipping_table["prototype"] == number]
    sure = ways[ways["confident"].astype(bool)]
    shares = dict(zip(sure["towards"], sure["share"], strict=True))
    images = _whole(prototype["images"])
    return Pattern(
        prototype=number,
        cluster=cluster,
        images=images,
        share=None if images is None else images / int(tables.cluster_scores["images"].iloc[0]),
        stability=number_of(prototype["stability"]),
        p=float(prototype["p"]),
        found_again=float(found.mean()) if len(found) else None,
        partners=len(found),
        repeats=int((tables.repeat_table["images"] > 0).sum()),
        real_borderline=int((tables.real_patterns["cluster"] == cluster).sum())
        if cluster >= 0
        else 0,
        near=int(here["images"]),
        errors=int(here["errors"]),
        negative_found="negative" in shares,
        positive_found="positive" in shares,
        to_negative=number_of(shares.get("negative")),
        to_positive=number_of(shares.get("positive")),
    )


def _say_of_map(row: Row) -> str:
    name = str(row["method"]).replace("_", " ")
    passed: list[str] = []
    failed: list[str] = []
    for test, verb in (("deletion", "deleting"), ("insertion", "inserting")):
        p = row[f"{test}_p"]
        (passed if p <= LEVEL else failed).append(f"{verb} (p = {p:.2f})")
    said = [
        f"{' and '.join(passed)} its pixels in order moves p more than in random order"
        if passed
        else "",
        f"in {' and '.join(failed)} its pixels it is no better than random maps, so do not trust it"
        if failed
        else "",
    ]
    kept = row["randomised_all"]
    if not pd.isna(kept):
        said.append(
            f"a model with random weights has much the same map (rank correlation {kept:.2f})"
            if abs(kept) >= _SAME_ORDER
            else f"a model with random weights has another map (rank correlation {kept:.2f})"
        )
    return f"{name[0].upper()}{name[1:]}: {'; '.join(filter(None, said))}."


def _say_of_abstaining(rejection: pd.DataFrame) -> tuple[str, ...]:
    shown = ("confidence", "prototypes", "confidence_and_prototypes")
    said = rejection[rejection["abstains_by"].isin(shown)]["says"]
    return tuple(dict.fromkeys(said))


def _estimate(row: Row, name: str) -> Estimate:
    return Estimate(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))


def _rows(table: pd.DataFrame) -> list[Row]:
    return [{str(name): own for name, own in row.items()} for _, row in table.iterrows()]


def _first(table: pd.DataFrame) -> Row:
    return _rows(table.head(1))[0]


def _near(tables: Tables) -> dict[str, Row]:
    return {str(row["cluster"]): row for row in _rows(tables.errors_near_patterns)}


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _whole(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)

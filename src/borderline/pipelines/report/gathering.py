"""From the tables of the other stages to the findings about a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from torch import nn

from borderline.findings import Findings, Measured, Pattern, number_of
from borderline.measures.intervals import Estimate, estimate_of_share
from borderline.pipelines.report.doubts import doubts_about
from borderline.pipelines.report.views.attributions import method_name

Row = dict[str, Any]
Tables = Mapping[str, pd.DataFrame]
"""The tables of ``nodes.TABLES`` by the names of their datasets."""

LEVEL = 0.05
"""An attribution passes a test at this p-value or below."""

# At this rank correlation, an attribution does not depend on the weights of the model.
_SAME_ORDER = 0.5


def gather(
    tables: Tables,
    names: dict[str, str],
    classifier: nn.Module,
    train_images: int,
    band: float,
    level: float,
) -> Findings:
    """The findings about one model.

    Args:
        tables: The tables about it.
        names: The names of the ``source`` and of the two classes.
        classifier: The model.
        train_images: The number of real training images.
        band: Half the width of the borderline band.
        level: The significance level of the validation.
    """
    board, shown_table = tables["leaderboard_table"], tables["prototypes_table"]
    chosen = _first(board[board["chosen"]])
    scores = _first(tables["classifier_scores_table"])
    clusters = _first(tables["cluster_scores_table"])
    patterns = tuple(_pattern(row, tables) for row in _rows(shown_table))
    shown = str(shown_table["chosen_by"].iloc[0]) if patterns else ""
    validation = tables["validation_table"]
    validation = validation[validation["chosen_by"] == shown]
    cluster_doubts = tuple(filter(None, clusters["doubts"].split("; ")))
    return Findings(
        **names,
        **_description(classifier),
        other_mass=number_of(scores.get("other_mass")),
        train_images=train_images,
        test_images=int(scores["test_images"]),
        errors=int(scores["false_positive"] + scores["false_negative"]),
        errors_near_p=number_of(_near(tables)["any"].get("p_value")),
        band=band,
        temperature=number_of(tables["calibration_table"]["temperature"].iloc[0]),
        generator=str(chosen["source"]),
        rule=str(chosen["rule"]),
        made=int(chosen["borderline"]),
        borderline_images=int(clusters["images"]),
        noise=number_of(clusters["noise"]),
        recipe=clusters["recipe"],
        measures=_measures(tables, chosen, validation, len(patterns)),
        patterns=patterns,
        shown=shown,
        validation=tuple(validation["says"]),
        attributions=tuple(_faithfulness(row) for row in _rows(tables["explanation_scores_table"])),
        abstaining=_abstaining(tables["rejection_table"]),
        doubts=(*cluster_doubts, *doubts_about(validation, level)),
        cluster_doubts=cluster_doubts,
        note=clusters["note"],
    )


def _description(classifier: nn.Module) -> Row:
    settings: dict[str, Any] = getattr(classifier, "settings", {})
    kind = settings.get("model.kind", type(classifier).__name__)
    filters = settings.get("model.filters")
    return {
        "kind": getattr(classifier, "described", None)
        or (kind if filters is None else f"{kind}, filters {filters}"),
        "weights": getattr(classifier, "weights", None)
        or sum(weight.numel() for weight in classifier.parameters()),
    }


def _measures(
    tables: Tables, chosen: Row, validation: pd.DataFrame, patterns: int
) -> dict[str, Measured]:
    scores = _first(tables["classifier_scores_table"])
    images = int(scores["test_images"])
    right = int(scores["true_negative"] + scores["true_positive"])
    near, errors = _near(tables)["any"], images - right
    known = pd.notna(near["images"])
    stability = _first(tables["cluster_scores_table"])["ari_resamples"]
    return {
        "accuracy": _share(right, images),
        "ece": Measured(value=number_of(scores["ece"]), n=images),
        "borderline_test": _share(int(scores["borderline_test_images"]), images),
        **{
            name: Measured.of(_estimate(chosen, name), chosen["images"])
            for name in ("yield", "acd", "hubris")
        },
        "fd_lenet": Measured.of(_estimate(chosen, "fd_lenet"), _whole(chosen["fd_lenet_n"])),
        "patterns": Measured(value=patterns),
        # The range of the resamples is not an interval of their mean.
        "cluster_stability": Measured(value=number_of(stability)),
        "coverage": _validated(validation, "coverage_area"),
        "found_again": _validated(validation, "stability"),
        "near_patterns": _share(int(near["images"]), images) if known else Measured(),
        "errors_near": _share(int(near["errors"]), errors) if known else Measured(),
    }


def _pattern(prototype: Row, tables: Tables) -> Pattern:
    number, cluster = int(prototype["prototype"]), int(prototype["cluster"])
    matches, walks = tables["matches_table"], tables["tipping_table"]
    similarities = matches[matches["prototype"] == number]["similarity"]
    near = _near(tables).get(str(cluster), {"images": 0, "errors": 0})
    walks = walks[(walks["prototype"] == number) & walks["confident"].astype(bool)]
    lengths = dict(zip(walks["towards"], walks["share"], strict=True))
    images = _whole(prototype["images"])
    clustered = int(tables["cluster_scores_table"]["images"].iloc[0])
    real = int((tables["real_patterns_table"]["cluster"] == cluster).sum())
    return Pattern(
        prototype=number,
        cluster=cluster,
        images=images,
        share=None if images is None else images / clustered,
        stability=number_of(prototype["stability"]),
        p=float(prototype["p"]),
        found_again=float(similarities.mean()) if len(similarities) else None,
        partners=len(similarities),
        repeats=int((tables["repeats_table"]["images"] > 0).sum()),
        real_borderline=real if cluster >= 0 else 0,
        near=int(near["images"]),
        errors=int(near["errors"]),
        negative_found="negative" in lengths,
        positive_found="positive" in lengths,
        to_negative=number_of(lengths.get("negative")),
        to_positive=number_of(lengths.get("positive")),
    )


def _faithfulness(row: Row) -> str:
    """A sentence on whether an attribution follows the model."""
    results: dict[str, list[str]] = {"passes": [], "fails": []}
    for test in ("deletion", "insertion"):
        p = row[f"{test}_p"]
        value = "no p-value" if math.isnan(p) else f"p-value {p:.2f}"
        results["passes" if p <= LEVEL else "fails"].append(f"the {test} test ({value})")
    verdicts = [f"{verb} {' and '.join(tests)}" for verb, tests in results.items() if tests]
    name = method_name(str(row["method"]))
    sentence = f"{name[0].upper()}{name[1:]} {' and '.join(verdicts)}"
    sentence += ": do not trust it." if results["fails"] else "."
    correlation = row["randomised_all"]
    if pd.isna(correlation):
        return sentence
    likeness = "nearly the same" if abs(correlation) >= _SAME_ORDER else "a different"
    return (
        f"{sentence} A model with random weights has {likeness} attribution (rank correlation "
        f"{correlation:.2f})."
    )


def _abstaining(rejection: pd.DataFrame) -> tuple[str, ...]:
    shown = ("confidence", "prototypes", "confidence_and_prototypes")
    return tuple(dict.fromkeys(rejection[rejection["abstains_by"].isin(shown)]["says"]))


def _share(hits: int, images: int) -> Measured:
    return Measured.of(estimate_of_share(hits, images), images)


def _validated(validation: pd.DataFrame, measure: str) -> Measured:
    rows = _rows(validation[validation["measure"] == measure])
    ends = [Estimate(row["value"], row["low"], row["high"]) for row in rows]
    return Measured.of(ends[0]) if ends else Measured()


def _estimate(row: Row, name: str) -> Estimate:
    return Estimate(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))


def _rows(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for _, row in table.iterrows()]


def _first(table: pd.DataFrame) -> Row:
    return _rows(table.head(1))[0]


def _near(tables: Tables) -> dict[str, Row]:
    return {str(row["cluster"]): row for row in _rows(tables["errors_near_patterns_table"])}


def _whole(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)

"""From the tables of the other stages to the findings about a model, and to its summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from torch import nn

from borderline.boundary import Boundary
from borderline.findings import (
    LOGIT,
    MEASURES,
    MIXED,
    VALIDATION_MEASURES,
    Findings,
    Measured,
    Pattern,
    number_of,
)
from borderline.measures.intervals import Estimate, estimate_of_share
from borderline.measures.variation import fault_of_variation
from borderline.pipelines.report.words import in_words, reproducibility_in_words

Row = Mapping[Any, Any]
Tables = Mapping[str, pd.DataFrame]

LEVEL = 0.05
"""An attribution passes a test at this p-value or below."""

# At this rank correlation, an attribution does not depend on the weights of the model.
_SAME_ORDER = 0.5
# The images of each null hypothesis, by the suffix of its column of q-values.
_OTHERS = {
    "": "random images",
    "_of_cluster": "random images of the same clusters",
    "_of_labels": "prototypes of shuffled clusters",
}
_OF_GENERATOR = (
    *("images", "borderline", "yield", "acd", "fd_lenet", "fd_lenet_n"),
    *("fd_lenet_borderline", "fd_lenet_borderline_n"),
)


def gather(
    tables: Tables,
    names: dict[str, str],
    classifier: nn.Module,
    train_images: int,
    judges: int,
    boundary: Boundary,
    level: float,
    *,
    quick: bool = False,
    test_groups: int | None = None,
    leaks: Sequence[str] = (),
    repaired_from: str = "",
) -> Findings:
    """The findings about one model.

    Args:
        tables: The tables of ``nodes.TABLES``, by the names of their datasets.
        names: The names of the ``source`` and of the two classes.
        classifier: The model.
        train_images: The number of real training images.
        judges: The number of judges with an opinion on classes.
        boundary: The decision boundary of the model.
        level: The significance level of the validation's q-values.
        quick: Whether the run was a quick look.
        test_groups: The number of groups of the test images; None for images without groups.
        leaks: Sentences on groups and images that training and test share.
        repaired_from: The name of the model whose repaired version it is; empty for none.
    """
    prototypes, chosen = tables["prototypes_table"], _chosen(tables)
    scores = tables["classifier_scores_table"].iloc[0]
    clusters = tables["cluster_scores_table"].iloc[0]
    near = tables["errors_near_patterns_table"].set_index("cluster").to_dict("index")
    classes = names["negative"], names["positive"]
    patterns = tuple(_pattern(row, near, tables, classes) for row in prototypes.to_dict("records"))
    shown = str(prototypes["chosen_by"].iloc[0]) if patterns else ""
    many = "exemplars" if clusters["continuum"] else "prototypes"
    validation = tables["validation_table"]
    validation = validation[validation["chosen_by"] == shown]
    attributions = tables["explanation_scores_table"].to_dict("records")
    rejection = tables["rejection_table"]
    rules = ("confidence", "prototypes", "confidence_and_prototypes")
    cluster_doubts = tuple(filter(None, clusters["doubts"].split("; ")))
    measures = (
        _measures(scores, chosen, near["any"])
        | _verdicts(tables, judges)
        | {
            "patterns": Measured(value=len(patterns)),
            # The range of the resamples is not an interval of their mean.
            "cluster_stability": Measured(value=number_of(clusters["ari_resamples"])),
            "coverage": _validated(validation, "coverage_area"),
            "found_again": _validated(validation, "stability"),
        }
    )
    return Findings(
        **names,
        **_description(classifier, repaired_from),
        other_mass=number_of(scores.get("other_mass")),
        train_images=train_images,
        test_images=int(scores["test_images"]),
        test_groups=test_groups,
        leaks=tuple(leaks),
        errors=int(scores["false_positive"] + scores["false_negative"]),
        errors_near_p=number_of(near["any"].get("p_value")),
        threshold=boundary["threshold"],
        threshold_rule=boundary["rule"],
        band=boundary["band"],
        scale=boundary["scale"],
        temperature=number_of(tables["calibration_table"]["temperature"].iloc[0]),
        generator=str(chosen["source"]),
        rule=str(chosen["rule"]),
        baseline=str(chosen.get("baseline", "")),
        made=int(chosen["borderline"]),
        borderline_images=int(clusters["images"]),
        noise=number_of(clusters["noise"]),
        recipe=clusters["recipe"],
        continuum=clusters["continuum"],
        artefacts=clusters["artefacts"],
        reproducibility=reproducibility_in_words(tables["reproducibility_table"], many)
        if patterns
        else "",
        found_by_chance=_found_by_chance(validation),
        judges=judges,
        measures={name: measures[name] for name in MEASURES},
        real_verdicts=_verdicts(tables, judges, "real"),
        patterns=patterns,
        shown=shown,
        validation=tuple(validation["says"]),
        attributions=tuple(_faithfulness(row) for row in attributions),
        abstaining=tuple(dict.fromkeys(rejection[rejection["abstains_by"].isin(rules)]["says"])),
        doubts=(
            *cluster_doubts,
            *doubts_about(validation, level, many),
            *(_variation(tables) if patterns else ()),
        ),
        cluster_doubts=cluster_doubts,
        note=clusters["note"] + _baselines_beside(tables) if clusters["note"] else "",
        quick=quick,
    )


def doubts_about(validation: pd.DataFrame, level: float, shown: str = "prototypes") -> list[str]:
    """The measures in which the shown prototypes do not beat chance, and notes on the repeats.

    ``shown`` is the word for them, ``exemplars`` in a continuum.
    """
    stability = validation["measure"] == "stability"
    doubts = []
    for suffix, others in _OTHERS.items():
        # A stability that could not be measured is a doubt; other gaps only mean one prototype.
        unknown = validation["value"].isna() & stability & (suffix == "")
        short = validation["measure"][(validation[f"q_value{suffix}"] > level) | unknown]
        if len(short):
            named = ", ".join(VALIDATION_MEASURES[measure] for measure in short)
            doubts.append(f"the {shown} are not significantly better than {others} in: {named}")
    return [*doubts, *filter(None, validation["note"][stability])]


def summary_of(findings: Findings, tables: Tables) -> pd.DataFrame:
    """The findings about a model in one row, with the numbers of ``nodes.SUMMARISED``."""
    chosen, clusters = _chosen(tables), tables["cluster_scores_table"].iloc[0]
    validation = tables["validation_table"]
    shown = validation[validation["chosen_by"] == findings.shown].set_index("measure")
    near = tables["errors_near_patterns_table"].set_index("cluster").loc["any"]
    row = {
        "generator": chosen["source"],
        "accuracy": tables["classifier_scores_table"]["accuracy"].iloc[0],
        **{name: chosen[name] for name in _OF_GENERATOR},
        "silhouette": clusters["silhouette"],
        "davies_bouldin": clusters["davies_bouldin"],
        "stability": clusters["ari_resamples"],
        "structure_p": clusters["structure_p"],
        "prototypes": len(findings.patterns),
        "coverage": shown["value"].get("coverage_area", math.nan),
        "coverage_p": shown["p_value"].get("coverage_area", math.nan),
        "found_again": shown["value"].get("stability", math.nan),
        "found_again_p": shown["p_value"].get("stability", math.nan),
        "errors_near": near["share_of_errors"],
        "doubts": "; ".join(findings.doubts),
        "note": findings.note,
    }
    return pd.DataFrame([row])


def method_name(method: str) -> str:
    """The name of an attribution method in words."""
    return "GradientSHAP" if method == "gradient_shap" else method.replace("_", " ")


def _chosen(tables: Tables) -> pd.Series[Any]:
    board = tables["leaderboard_table"]
    return board[board["chosen"]].iloc[0]


def _variation(tables: Tables) -> list[str]:
    """The sentence on images that are softer or noisier than real ones, if they are."""
    chosen, real = _chosen(tables), tables["leaderboard_table"].iloc[-1]
    name = "total_variation_borderline"
    if name not in chosen:  # a leaderboard of an earlier version
        return []
    fault = fault_of_variation(_estimate(chosen, name), _estimate(real, name))
    return [fault] if fault else []


def _baselines_beside(tables: Tables) -> str:
    """The baselines that have more borderline images than the chosen generator, in words."""
    board, chosen = tables["leaderboard_table"], _chosen(tables)
    if "baseline" not in board or chosen["baseline"]:
        return ""
    more = board["borderline"] > chosen["borderline"]
    others = board[(board["baseline"].fillna("") != "") & more]
    return "".join(
        f"; the baseline {row['source']} has {row['borderline']:,.0f} borderline images, but they "
        f"are {row['baseline']}, which are shown only if metrics.choose is {row['source']}"
        for row in others.to_dict("records")
    )


def _description(classifier: nn.Module, repaired_from: str) -> dict[str, Any]:
    settings: dict[str, Any] = getattr(classifier, "settings", {})
    kind = settings.get("model.kind", type(classifier).__name__)
    if "model.name" in settings:
        kind = f"{settings['model.name']} of {kind}"
    if "model.filters" in settings:
        kind = f"{kind}, filters {settings['model.filters']}"
    kind = getattr(classifier, "described", kind)
    if repaired_from:
        arm = settings.get("repair.arm", "unknown")
        kind = f"{repaired_from}, trained again with the arm {arm!r} of its repair ({kind})"
    return {
        "trained_elsewhere": hasattr(classifier, "described"),
        "repaired_from": repaired_from,
        "kind": kind,
        "weights": classifier.weights
        if hasattr(classifier, "weights")
        else sum(weight.numel() for weight in classifier.parameters()),
        "outputs": getattr(classifier, "described_outputs", LOGIT),
    }


def _measures(scores: pd.Series[Any], chosen: pd.Series[Any], near: Row) -> dict[str, Measured]:
    images, names = int(scores["test_images"]), ("true_negative", "true_positive")
    negative, positive = (int(scores[name]) for name in names)
    missed, alarms = int(scores["false_negative"]), int(scores["false_positive"])
    right, known = negative + positive, pd.notna(near["images"])
    return {
        "accuracy": _share(right, images, scores, "accuracy"),
        "sensitivity": _share(positive, positive + missed, scores, "sensitivity"),
        "specificity": _share(negative, negative + alarms, scores, "specificity"),
        "ece": Measured(value=number_of(scores["ece"]), n=images),
        "borderline_test": _share(
            int(scores["borderline_test_images"]), images, scores, "borderline_test"
        ),
        **{
            name: Measured.of(_estimate(chosen, name), chosen["images"])
            for name in ("yield", "acd", "hubris")
        },
        "fd_lenet": Measured.of(_estimate(chosen, "fd_lenet"), number_of(chosen["fd_lenet_n"])),
        "near_patterns": _share(int(near["images"]), images, near, "share_of_images")
        if known
        else Measured(),
        "errors_near": _share(int(near["errors"]), images - right, near, "share_of_errors")
        if known
        else Measured(),
    }


def _pattern(
    prototype: Row, near_patterns: Row, tables: Tables, classes: tuple[str, str]
) -> Pattern:
    number, cluster = int(prototype["prototype"]), int(prototype["cluster"])
    matches, walks = tables["matches_table"], tables["tipping_table"]
    similarities = matches[matches["prototype"] == number]["similarity"]
    near = near_patterns.get(str(cluster), {"images": 0, "errors": 0})
    walks = walks[(walks["prototype"] == number) & walks["confident"].astype(bool)]
    lengths = dict(zip(walks["towards"], walks["share"], strict=True))
    images = number_of(prototype["images"])
    clustered = int(tables["cluster_scores_table"]["images"].iloc[0])
    real = int((tables["real_patterns_table"]["cluster"] == cluster).sum())
    return Pattern(
        prototype=number,
        cluster=cluster,
        images=None if images is None else int(images),
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
        words=in_words(tables["words_table"], number, *classes),
        **_verdict(prototype, tables),
    )


def _verdict(prototype: Row, tables: Tables) -> dict[str, Any]:
    """The fields of a pattern about its verdict."""
    cluster = int(prototype["cluster"])
    if cluster < 0:
        return {"verdict": str(tables["verdicts_table"]["verdict"].iloc[int(prototype["row"])])}
    table = tables["pattern_verdicts_table"]
    rows = table[table["cluster"].astype(str) == str(cluster)]
    fields: dict[str, Any] = {
        "verdict": MIXED,
        "verdict_shares": dict(zip(rows["verdict"], rows["share"].astype(float), strict=True)),
    }
    for row in rows[rows["prevails"].astype(bool)].to_dict("records"):
        fields |= {"verdict": row["verdict"], "verdict_share": float(row["share"])}
        fields |= {f"verdict_{end}": float(row[end]) for end in ("low", "high")}
    return fields


def _verdicts(tables: Tables, judges: int, cluster: str = "all") -> dict[str, Measured]:
    """The shares of the verdicts in all borderline images, or in those of another row of the table;
    those of opinions need a judge."""
    table = tables["pattern_verdicts_table"]
    rows = table[table["cluster"] == cluster].set_index("verdict")
    measured = {
        name: Measured.of(Estimate(row["share"], row["low"], row["high"]), row["of"])
        for name, row in rows.iterrows()
    }
    if judges == 0 and measured:
        measured |= dict.fromkeys(("another_class", "weakness", "ambiguous"), Measured())
    return {str(name): measure for name, measure in measured.items() if name in MEASURES}


def _faithfulness(row: Row) -> str:
    """Sentences on whether an attribution follows the model."""
    results: dict[str, list[str]] = {"passes": [], "fails": []}
    untested = []
    for test in ("deletion", "insertion"):
        p = row[f"{test}_p"]
        if math.isnan(p):
            untested.append(test)
        else:
            results["passes" if p <= LEVEL else "fails"].append(
                f"the {test} test (p-value {p:.2f})"
            )
    verdicts = [f"{verb} {' and '.join(tests)}" for verb, tests in results.items() if tests]
    name = method_name(str(row["method"]))
    name = f"{name[0].upper()}{name[1:]}"
    sentence = f"{name} {' and '.join(verdicts or ['has not been tested'])}"
    sentence += ": do not trust it." if results["fails"] else "."
    if untested:
        sentence += (
            f" Without a result: {' and '.join(untested)}, because the model gives NaN for an "
            "image without some of its pixels."
        )
    correlation = row["randomised_all"]
    if pd.isna(correlation):
        return sentence
    likeness = "nearly the same" if abs(correlation) >= _SAME_ORDER else "a different"
    return (
        f"{sentence} A model with random weights has {likeness} attribution (rank correlation "
        f"{correlation:.2f})."
    )


def _share(
    hits: int, images: int, row: Row | pd.Series[Any] | None = None, name: str = ""
) -> Measured:
    """A share, with the interval of that name in the row of a table where it has one."""
    share = estimate_of_share(hits, images)
    if row is not None and f"{name}_low" in row:
        share = share._replace(**{end: float(row[f"{name}_{end}"]) for end in ("low", "high")})
    return Measured.of(share, images)


def _found_by_chance(validation: pd.DataFrame) -> float | None:
    rows = validation[validation["measure"] == "stability"]
    return number_of(rows["random"].iloc[0]) if len(rows) else None


def _validated(validation: pd.DataFrame, measure: str) -> Measured:
    rows = validation[validation["measure"] == measure]
    return (
        Measured.of(Estimate(*rows[["value", "low", "high"]].iloc[0])) if len(rows) else Measured()
    )


def _estimate(row: pd.Series[Any], name: str) -> Estimate:
    return Estimate(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))

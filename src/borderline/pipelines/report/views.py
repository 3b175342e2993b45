"""The sections about the model, its generators and the validation, as plain data."""

from __future__ import annotations

from typing import Any

import pandas as pd
from torch import Tensor

from borderline.findings import NONE, Findings, Measured, number_of, with_interval
from borderline.measures.confusion import confusion_distance, is_borderline, is_positive
from borderline.pages.pictures import of_file, pictures
from borderline.pipelines.report.page import View
from borderline.records import LabelledImages, Parts

REAL = "real images"

_COLUMNS = {
    "yield": "yield",
    "acd": "ACD",
    "hubris": "hubris",
    "fd_lenet": "fd_lenet",
    "fd_lenet_borderline": "fd_lenet, borderline",
    "total_variation_borderline": "total variation, borderline",
    "fd_classifier": "fd_classifier",
    "fid": "FID",
}
_FORMS = {"yield": "{:.1%}", "total_variation_borderline": "{:#.2g}"}


def view_model(
    findings: Findings,
    scores_table: pd.DataFrame,
    figure: bytes,
    p: Tensor,
    pair_test: LabelledImages,
    most: int,
) -> View:
    """The section about the model, with at most ``most`` test images of each kind; p is theirs."""
    boundary = findings.boundary
    scores, wrong = scores_table.iloc[0], is_positive(p, boundary).long() != pair_test["labels"]
    nearest = confusion_distance(p, boundary).argsort(stable=True)
    # The most confident errors come first: they cost most.
    farthest = nearest.flip(0)
    classes = (findings.negative, findings.positive)
    counts = ("true_negative", "false_positive", "false_negative", "true_positive")
    alt = (
        f"Confusion matrix of {findings.test_images} test images with {findings.errors} errors; "
        f"calibration curve with a mean gap of {scores['ece']:.3f}; histogram of p with "
        f"{scores['borderline_test_images']:.0f} images in the band."
    )

    def shown(rows: Tensor) -> View:
        first = rows[:most]
        alt, threshold = "Real test image, {p}", boundary["threshold"]
        tiles = pictures(pair_test["images"][first], p[first], alt, threshold=threshold)
        for picture, label in zip(tiles, pair_test["labels"][first].tolist(), strict=True):
            picture["caption"] = f"is {classes[label]}"
            picture["alt"] += f", {picture['caption']}"
        return {"count": len(rows), "pictures": tiles}

    return {
        "matrix": {name: int(scores[name]) for name in counts},
        "figure": of_file(figure, alt),
        "borderline": shown(nearest[is_borderline(p, boundary)[nearest]]),
        "errors": shown(farthest[wrong[farthest]]),
    }


def view_strips(
    leaderboard: pd.DataFrame,
    parts: dict[str, Parts],
    real: tuple[Tensor, Tensor],
    most: int,
    threshold: float,
) -> list[View]:
    """At most ``most`` images of each generator in the order of the leaderboard, then real ones.

    Args:
        leaderboard: The leaderboard.
        parts: The parts of each generator's images, by its name.
        real: Real training images and their p.
        most: The most images in a strip.
        threshold: The decision threshold of the model.
    """
    strips = []
    for _, row in leaderboard[leaderboard["source"].isin(list(parts))].iterrows():
        name = row["source"]
        part = parts[name][min(parts[name])]()
        images, p = part["images"][:most], part["probabilities"][:most]
        alt = f"Image {{number}} of {name}, {{p}}"
        shown = pictures(images, p, alt, threshold=threshold)
        strips.append(
            {
                "name": name,
                "chosen": bool(row["chosen"]),
                "baseline": row.get("baseline", ""),
                "pictures": shown,
            }
        )
    images, p = (tensor[:most] for tensor in real)
    shown = pictures(images, p, "Real training image {number}, {p}", threshold=threshold)
    return [*strips, {"name": REAL, "chosen": False, "baseline": "", "pictures": shown}]


def view_leaderboard(leaderboard: pd.DataFrame) -> View:
    """The headline scores with their intervals, a row a generator, the real images last."""
    columns = [n for n in _COLUMNS if n in leaderboard and leaderboard[n].notna().any()]
    rows = [
        {
            "source": row["source"],
            "chosen": bool(row["chosen"]),
            "baseline": bool(row.get("baseline", "")),
            "images": int(row["images"]),
            "borderline": int(row["borderline"]),
            "cells": [_score(row, name) for name in columns],
            "seconds": number_of(row["seconds"]),
            "note": row["note"],
        }
        for _, row in leaderboard.iterrows()
    ]
    return {"columns": [_COLUMNS[name] for name in columns], "rows": rows}


def view_validation(validation: pd.DataFrame) -> View:
    """The table of all selections by all measures."""
    measures = list(dict.fromkeys(validation["measure"]))
    rows = [
        {
            "name": str(name).replace("_", " "),
            "cells": [_cell(group.set_index("measure"), measure) for measure in measures],
        }
        for name, group in validation.groupby("chosen_by", sort=False)
    ]
    return {"measures": [measure.replace("_", " ") for measure in measures], "rows": rows}


def view_figures(
    findings: Findings,
    reproducibility: bytes,
    validation: bytes,
    faithfulness: bytes,
    rejection: bytes,
) -> list[View]:
    """The figures of the validation with their texts, each a PNG."""
    return [
        of_file(
            reproducibility,
            "Comparison with other images, generators and GANs: a dot for each, a diamond for "
            f"their mean with its 95 % interval. {findings.reproducibility}".strip(),
        ),
        of_file(
            validation,
            "All selections of prototypes by all measures with 95 % intervals, beside the range of "
            "random choices; the numbers are in the table.",
        ),
        of_file(
            faithfulness,
            "Mean p while pixels are deleted or inserted in the order of each attribution, beside "
            f"random orders. {' '.join(findings.attributions)}",
        ),
        of_file(
            rejection,
            "Risk-coverage curves of rules for abstaining on real test images. "
            f"{' '.join(findings.abstaining)}",
        ),
    ]


def view_repair(findings: Findings, figure: bytes) -> View:
    """The figure of the repair, and its table with a row an arm; nothing without a repair."""
    if findings.repair is None:
        return {}
    rows = [
        {
            "title": arm.title,
            "kept": arm.name == findings.repair.kept,
            "cells": [
                (*_percent(arm.error, "{:z.2%}"), None),
                (*_points(arm.to_again), arm.to_again_p),
                (*_points(arm.to_random), arm.to_random_p),
                (*_percent(arm.fresh, "{:z.1%}"), None),
            ],
        }
        for arm in findings.repair.arms
    ]
    alt = (
        "The main measures of each arm of the repair: a dot for each training, a diamond for the "
        f"mean with its 95 % interval. {findings.repair.says[0]}"
    )
    # It has six panels: a narrow picture would be too small to read.
    shown = {**of_file(figure, alt), "wide": True} if figure else None
    return {"repair": {"rows": rows, "figure": shown}}


def _percent(share: Measured, form: str) -> tuple[str, str]:
    return with_interval(form, share.value, share.low, share.high)


def _points(difference: Measured) -> tuple[str, str]:
    ends = (difference.value, difference.low, difference.high)
    return with_interval("{:+z.2f}", *(None if end is None else 100 * end for end in ends))


def _score(row: pd.Series[Any], name: str) -> tuple[str, str]:
    form = _FORMS.get(name, "{:.1f}" if name.startswith("fd_") else "{:.3f}")
    return with_interval(form, *(row[f"{name}{end}"] for end in ("", "_low", "_high")))


def _cell(rows: pd.DataFrame, measure: str) -> View:
    if measure not in rows.index:
        return {"value": NONE, "interval": "", "q": None}
    row: dict[str, Any] = {str(name): value for name, value in rows.loc[measure].items()}
    value, interval = with_interval("{:.3f}", row["value"], row["low"], row["high"])
    return {"value": value, "interval": interval, "q": number_of(row["q_value"])}

"""The page that holds two models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from torch import Tensor

from borderline.findings import FIGURES, Findings, in_parts
from borderline.pages import rendering
from borderline.pages.pictures import Picture, pictures
from borderline.pipelines.compare.transfer import OPEN, OWN, SHARED

PACKAGE = "borderline.pipelines.compare"


class Side(NamedTuple):
    """A model and what the other one says of its patterns.

    Attributes:
        name: Of the model.
        findings: About it.
        patterns: A row each, as ``carry_over`` gives it.
        shown: Of each, its prototype and images of its cluster, shape (n, C, H, W), and what the
            other model says of these, shape (n,).
    """

    name: str
    findings: Findings
    patterns: pd.DataFrame
    shown: Sequence[tuple[Tensor, Tensor]]


def render(
    this: Side, other: Side, figures: pd.DataFrame, errors: dict[str, Any], unsure: float
) -> str:
    """The whole page.

    Args:
        this: One model.
        other: Another.
        figures: Of both, as ``compare_figures`` gives them.
        errors: Of both on the same images.
        unsure: The share of real test images that count as those a model is least sure of.
    """
    return rendering.render(
        PACKAGE,
        "comparison.html",
        charts=False,
        this=this.findings,
        names=(this.name, other.name),
        in_short=_in_short(this, other, errors),
        rows=[_row(row) for _, row in figures.iterrows()],
        sides=[
            {"name": own.name, "other": judge.name, "patterns": _patterns(own)}
            for own, judge in ((this, other), (other, this))
        ],
        unsure=unsure,
    )


def _in_short(this: Side, other: Side, errors: dict[str, Any]) -> list[str]:
    said = []
    for own, judge in ((this, other), (other, this)):
        count, verdicts = len(own.patterns), own.patterns["verdict"]
        if count == 0:
            said.append(f"{own.name} has no patterns to compare.")
            continue
        said.append(
            f"Of the {count} patterns of {own.name}, {judge.name} shares "
            f"{int((verdicts == SHARED).sum())}; {int((verdicts == OWN).sum())} are mostly "
            f"{own.name}'s own, and {int((verdicts == OPEN).sum())} are open."
        )
    if errors["only_this"] is None:
        said.append("They were tested on different images, so their errors cannot be paired.")
    else:
        chance = (
            "they agree on all images"
            if errors["p_value"] is None
            else "if both were equally good, so large a difference would come in "
            f"{_case_share(errors['p_value'])} of cases (McNemar's test)"
        )
        said.append(
            f"On the same real test images, {errors['only_this']} are wrong for {this.name} alone, "
            f"and {errors['only_other']} for {other.name} alone: {chance}."
        )
    return said


def _case_share(p: float) -> str:
    return "less than 0.1%" if p < 0.001 else f"{p:.1%}"


def _row(row: pd.Series) -> dict[str, Any]:
    described = FIGURES[row["figure"]]
    ends = {
        "this": ("this", "this_low", "this_high"),
        "other": ("other", "other_low", "other_high"),
        "difference": ("difference", "low", "high"),
    }
    return {
        "title": described.title,
        "says": described.says,
        "differ": bool(row["differ"]) if pd.notna(row["differ"]) else False,
        **{
            name: in_parts(described.form, *(row[column] for column in columns))
            for name, columns in ends.items()
        },
    }


def _patterns(side: Side) -> list[dict[str, Any]]:
    shown = []
    for (_, row), (images, p) in zip(side.patterns.iterrows(), side.shown, strict=True):
        own: list[Picture] = pictures(images, p, "Image {number} of the pattern, {p} for the other")
        shown.append({**{str(name): value for name, value in row.items()}, "pictures": own})
    return shown

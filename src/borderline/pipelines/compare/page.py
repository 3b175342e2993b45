"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from borderline.findings import MEASURES, VERDICTS, Findings, with_interval, written
from borderline.measures.confusion import is_positive
from borderline.measures.inference import predict
from borderline.pages import rendering
from borderline.pages.banners import banners, headed
from borderline.pages.boundaries import (
    borderline_in_words,
    have_own_boundaries,
    middle_of_scale,
)
from borderline.pages.pictures import pictures
from borderline.pages.verdicts import verdict_on
from borderline.pipelines.compare.disagreements import search_in_words, who_is_right
from borderline.pipelines.compare.sides import Side
from borderline.pipelines.compare.transfer import OPEN, OWN, SHARED
from borderline.records import Disagreements


def section(
    side: Side,
    other: Side,
    table: pd.DataFrame,
    members: int,
    device: torch.device,
    *,
    same_run: bool = True,
) -> dict[str, Any]:
    """The patterns of a side, from the table of both, with pictures framed by the other model's p.

    They show the prototype and at most ``members`` images of the cluster. Only in the ``same_run``
    a model can be the repaired version of the other one.
    """
    patterns = []
    for _, row in table[table["model"] == side.name].iterrows():
        number = int(row["pattern"])
        pattern = side.findings.patterns[number]
        here = side.clusters["labels"] == pattern.cluster
        prototype = side.prototypes["images"][number][None]
        images = torch.cat([prototype, side.borderline["images"][here][:members]])
        p = predict(other.classifier, images, device)
        alt = f"Image {{number}} of the pattern, {{p}} for {other.name}"
        shown = pictures(images, p, alt, threshold=other.findings.threshold)
        doubt = verdict_on(pattern, side.findings)
        patterns.append({**row.to_dict(), "pictures": shown, "doubt": doubt})
    units = {"unit": side.findings.unit, "other_unit": other.findings.unit}
    change = _change(side, other) if same_run else ""
    own = {"own": change or f"{side.name} only", "own_words": change or f"of {side.name} only"}
    title = headed(f"{side.findings.unit.capitalize()}s of {side.name}", side.findings)
    names = {"name": side.name, "other": other.name, "title": title, **own}
    return {**names, "patterns": patterns, **units}


def _change(side: Side, other: Side) -> str:
    """The word for a pattern of one side only, if one model is the repaired other one."""
    if other.findings.repaired_from == side.name:
        return "gone"
    return "new" if side.findings.repaired_from == other.name else ""


def section_of_disagreements(
    this: Side,
    other: Side,
    found: Disagreements,
    counts: dict[str, Any],
    table: pd.DataFrame,
    shown: int,
) -> dict[str, Any]:
    """The first ``shown`` disagreements with both p and who is right, and sentences on all."""
    if counts["wanted"] == 0:
        return {"wanted": 0, "search": [], "right": []}
    decisions = [
        _decisions(this, found["this_p"], found["images"][:shown]),
        _decisions(other, found["other_p"], found["images"][:shown]),
    ]
    rows = (row.to_dict() for _, row in table.iterrows())
    images = [{**row, "decisions": both} for row, *both in zip(rows, *decisions, strict=False)]
    return {
        "wanted": counts["wanted"],
        "total": len(table),
        "images": images,
        "search": search_in_words(counts, this.name, other.name),
        "right": who_is_right(table, this.name, other.name, this.findings.judges),
        "verdicts": VERDICTS,
    }


def _decisions(side: Side, p: Tensor, images: Tensor) -> list[dict[str, Any]]:
    """The picture of each image in the colour of the side's p, with the class it decides for."""
    findings = side.findings
    classes = findings.negative, findings.positive
    positive = is_positive(p, findings.boundary).long().tolist()
    alt = f"Disagreement {{number}}, {{p}} for {side.name}"
    shown = pictures(images, p, alt, threshold=findings.threshold)
    return [
        {**picture, "name": side.name, "class": classes[row]}
        for picture, row in zip(shown, positive, strict=False)
    ]


def render(
    findings: Mapping[str, Findings],
    sections: Sequence[dict[str, Any]],
    apart: dict[str, Any],
    measures: pd.DataFrame,
    errors: dict[str, Any],
    unsure: float,
) -> str:
    """The page: the source and classes of the findings, the measures, errors, and both sections.

    ``findings`` are those of both models, by name; ``apart`` is the section of disagreements.
    """
    return rendering.render(
        "borderline.pipelines.compare",
        "comparison.html",
        charts=False,
        this=next(iter(findings.values())),
        banners=banners(findings),
        middle=middle_of_scale(findings),
        names=[section["name"] for section in sections],
        in_short=[
            *([borderline_in_words(findings)] if have_own_boundaries(findings) else []),
            *map(_verdicts, sections),
            _errors(sections[0], errors),
            *apart["search"][:2],
            *apart["right"][:1],
        ],
        rows=[_row(row) for _, row in measures.iterrows()],
        sides=sections,
        apart=apart,
        unsure=unsure,
    )


def _verdicts(section: dict[str, Any]) -> str:
    name, verdicts = section["name"], [pattern["verdict"] for pattern in section["patterns"]]
    unit = section["unit"]
    if not verdicts:
        return f"{name} has no {unit}s to compare."
    patterns = f"1 {unit}" if len(verdicts) == 1 else f"{len(verdicts)} {unit}s"
    return (
        f"{name} has {patterns}: {verdicts.count(SHARED)} shared with {section['other']}, "
        f"{verdicts.count(OWN)} {section['own_words']}, {verdicts.count(OPEN)} open."
    )


def _errors(section: dict[str, Any], errors: dict[str, Any]) -> str:
    if errors["only_this"] is None:
        return "The two models have different test images, so their errors cannot be paired."
    p = errors["p_value"]
    if p is None:
        return "Both models make the same errors on the test images."
    chance = "less than 0.1 %" if p < 0.001 else written("{:.1%}", p)
    test = "McNemar's test by group" if errors.get("by_group") else "McNemar's exact test"
    images = "1 test image" if errors["only_this"] == 1 else f"{errors['only_this']:,} test images"
    return (
        f"{section['name']} alone is wrong on {images}, "
        f"{section['other']} alone on {errors['only_other']:,}. If both were equally accurate, a "
        f"difference this large would have a probability of {chance} ({test})."
    )


def _row(row: pd.Series) -> dict[str, Any]:
    described = MEASURES[row["measure"]]

    def text(*columns: str) -> tuple[str, str]:
        return with_interval(described.form, *(row[column] for column in columns))

    return {
        "title": described.title,
        "says": described.meaning,
        "differ": bool(row["differ"]) if pd.notna(row["differ"]) else False,
        "this": text("this", "this_low", "this_high"),
        "other": text("other", "other_low", "other_high"),
        "difference": text("difference", "low", "high"),
    }

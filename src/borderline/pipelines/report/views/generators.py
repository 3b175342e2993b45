"""The section about the generators: their images and their leaderboard."""

from __future__ import annotations

from typing import Any

import pandas as pd
from torch import Tensor

from borderline.findings import number_of, with_interval
from borderline.pages.pictures import pictures
from borderline.pipelines.report.page import View
from borderline.records import Parts

REAL = "real images"

_COLUMNS = {
    "yield": "yield",
    "acd": "ACD",
    "hubris": "hubris",
    "fd_lenet": "fd_lenet",
    "fd_lenet_borderline": "fd_lenet, borderline",
    "fd_classifier": "fd_classifier",
    "fid": "FID",
}


def view_strips(
    leaderboard: pd.DataFrame, parts: dict[str, Parts], real: tuple[Tensor, Tensor], most: int
) -> list[View]:
    """A strip of images of each generator, and one of real images.

    Args:
        leaderboard: The leaderboard, whose order the strips have.
        parts: The parts of each generator's images, by name of the generator.
        real: Real training images and their p.
        most: The most images in a strip.
    """
    strips = []
    for _, row in leaderboard[leaderboard["source"].isin(list(parts))].iterrows():
        name = row["source"]
        part = parts[name][min(parts[name])]()
        images, p = part["images"][:most], part["probabilities"][:most]
        shown = pictures(images, p, f"Image {{number}} of {name}, {{p}}")
        strips.append({"name": name, "chosen": bool(row["chosen"]), "pictures": shown})
    images, p = (tensor[:most] for tensor in real)
    shown = pictures(images, p, "Real training image {number}, {p}")
    return [*strips, {"name": REAL, "chosen": False, "pictures": shown}]


def view_leaderboard(leaderboard: pd.DataFrame) -> View:
    """The headline scores with their intervals, a row a generator, the real images last."""
    columns = [n for n in _COLUMNS if n in leaderboard and leaderboard[n].notna().any()]
    rows = [
        {
            "source": row["source"],
            "chosen": bool(row["chosen"]),
            "images": int(row["images"]),
            "borderline": int(row["borderline"]),
            "cells": [_cell(row, name) for name in columns],
            "seconds": number_of(row["seconds"]),
            "note": row["note"],
        }
        for _, row in leaderboard.iterrows()
    ]
    return {"columns": [_COLUMNS[name] for name in columns], "rows": rows}


def _cell(row: pd.Series[Any], name: str) -> tuple[str, str]:
    form = "{:.1%}" if name == "yield" else "{:.1f}" if name.startswith("fd_") else "{:.3f}"
    return with_interval(form, *(row[f"{name}{end}"] for end in ("", "_low", "_high")))

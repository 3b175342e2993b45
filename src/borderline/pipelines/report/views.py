"""What the page shows of each thing: pictures with their alternative texts, tables, captions.

A view is plain data, so that it can be saved, and rendered for any number of models at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from borderline.findings import NONE, Findings, in_parts, number_of
from borderline.measures.plots import (
    as_data_uris,
    as_picture,
    cluster_colour,
    overlay,
    scale_of,
)
from borderline.pages.pictures import Picture, pictures

View = dict[str, Any]

_COLUMNS = {
    "yield": "yield",
    "acd": "ACD",
    "hubris": "hubris",
    "fd_lenet": "fd_lenet",
    "fd_lenet_borderline": "fd_lenet, borderline",
    "fd_classifier": "fd_classifier",
    "fid": "FID",
}


def of_maps(images: Tensor, maps: Mapping[str, Tensor]) -> list[list[Picture]]:
    """For each image what pushes the model, by method.

    Args:
        images: In [-1, 1], shape (K, C, H, W).
        maps: Of each method, shape (K, H, W); each method has one scale for all images.
    """
    shown: list[list[Picture]] = [[] for _ in images]
    backgrounds = as_picture(images)
    for method, own in maps.items():
        limit, name = scale_of(own), method.replace("_", " ")
        for number, (background, push) in enumerate(zip(backgrounds, own.numpy(), strict=True)):
            laid = torch.from_numpy(overlay(background, push / limit)).movedim(-1, 0)
            (address,) = as_data_uris(laid[None] * 2 - 1)
            red, blue = where(push)
            parts = (("red", red), ("blue", blue))
            said = [f"{c} above all at the {at}" if at else f"no {c}" for c, at in parts]
            alt = f"{name} of prototype {number}: {', '.join(said)}"
            shown[number].append({"src": address, "alt": alt, "name": name})
    return shown


def of_leaderboard(leaderboard: pd.DataFrame) -> View:
    """The headline figures with their intervals, a row a generator, the real images last."""
    columns = [n for n in _COLUMNS if n in leaderboard and leaderboard[n].notna().any()]
    rows = [
        {
            "source": row["source"],
            "chosen": bool(row["chosen"]),
            "images": int(row["images"]),
            "borderline": int(row["borderline"]),
            "cells": [_cell(row, name) for name in columns],
            "seconds": number_of(row["seconds"]),
            "note": "" if pd.isna(row["note"]) else str(row["note"]),
        }
        for _, row in leaderboard.iterrows()
    ]
    return {"columns": [_COLUMNS[name] for name in columns], "rows": rows}


def of_patterns(
    found: Findings,
    prototypes: Mapping[str, Tensor],
    maps: Mapping[str, Tensor],
    members: Sequence[tuple[Tensor, Tensor]],
    strips: Sequence[tuple[Tensor, Tensor]],
    neighbours: Sequence[tuple[Tensor, Tensor]],
    real: Sequence[tuple[Tensor, Tensor]],
    again: Sequence[tuple[Tensor, Sequence[float]]],
) -> list[View]:
    """All about each pattern; of those that nothing else is given of, only the prototype.

    Args:
        found: The findings, whose patterns are in the order of everything else.
        prototypes: ``images`` (K, C, H, W) and ``probabilities`` (K,).
        maps: Of each method, shape (K, H, W).
        members: Of each pattern, images of its cluster and their p.
        strips: Of each prototype, the images from a confident negative to a confident positive, and
            their p.
        neighbours: Of each prototype, the nearest real negatives (nearest last) and then the
            nearest real positives (nearest first), and their p.
        real: Of each pattern, real borderline test images that fall into it, and their p.
        again: Of each prototype, its partners in other runs and their similarities.
    """
    alt = f"Prototype {{number}}: an image between {found.negative} and {found.positive}, {{p}}"
    full = len(members)
    cut = {method: own[:full] for method, own in maps.items()}
    explained = of_maps(prototypes["images"][:full], cut)
    first = next(iter(maps))
    views = []
    for number, pattern in enumerate(found.patterns):
        image, p = prototypes["images"][number], prototypes["probabilities"][number]
        (own,) = pictures(image[None], p[None], alt, first=number)
        view: View = {
            "pattern": pattern.model_dump(),
            "colour": cluster_colour(pattern.cluster) if pattern.cluster >= 0 else "#999999",
            "prototype": own,
            "full": number < len(members),
        }
        views.append(view)
        if not view["full"]:
            continue
        walk = pictures(*strips[number], f"Step {{number}} of {len(strips[number][0])}, {{p}}")
        half = len(neighbours[number][0]) // 2
        beside = pictures(*neighbours[number], "Real training image, {p}")
        partners = pictures(again[number][0], None, "Prototype of repeat {number}")
        for picture, similarity in zip(partners, again[number][1], strict=True):
            picture["said"] = f"{similarity:.2f}"
        view |= {
            "maps": explained[number],
            "pushes": (first.replace("_", " "), *where(maps[first][number].numpy())),
            "walk": walk,
            "middle": len(walk) // 2,
            "negatives": beside[:half],
            "positives": beside[half:],
            "members": pictures(*members[number], "Image {number} of the cluster, {p}"),
            "real": pictures(*real[number], "Real borderline test image {number}, {p}"),
            "again": partners,
        }
    return views


def of_validation(validation: pd.DataFrame) -> View:
    """Every way to choose prototypes by every measure."""
    measures = list(dict.fromkeys(validation["measure"]))
    rows = [
        {
            "name": str(name).replace("_", " "),
            "cells": [_validated(own.set_index("measure"), measure) for measure in measures],
        }
        for name, own in validation.groupby("chosen_by", sort=False)
    ]
    return {"measures": [measure.replace("_", " ") for measure in measures], "rows": rows}


def where(push: np.ndarray) -> tuple[str, str]:
    """Where the strongest pushes towards the positive and the negative class are.

    Args:
        push: A map, shape (H, W), positive where a pixel pushes to the positive class.

    Returns:
        A ninth of the image in words for each, for example ``top right``; empty for no push.
    """
    return _strongest(np.maximum(push, 0)), _strongest(np.maximum(-push, 0))


def _strongest(push: np.ndarray) -> str:
    if not push.any():
        return ""
    ninths = [[part.sum() for part in np.array_split(r, 3, 1)] for r in np.array_split(push, 3, 0)]
    row, column = np.unravel_index(np.argmax(ninths), (3, 3))
    down, across = ("top", "middle", "bottom")[row], ("left", "", "right")[column]
    if not across:
        return f"{down} centre" if down != "middle" else "centre"
    return f"{down} {across}"


def _validated(own: pd.DataFrame, measure: str) -> View:
    if measure not in own.index:
        return {"value": NONE, "interval": "", "q": None}
    row: dict[str, Any] = {str(name): value for name, value in own.loc[measure].items()}
    value, interval = in_parts("{:.3f}", row["value"], row["low"], row["high"])
    return {"value": value, "interval": interval, "q": number_of(row["q_value"])}


def _cell(row: pd.Series, name: str) -> tuple[str, str]:
    form = "{:.1%}" if name == "yield" else "{:.1f}" if name.startswith("fd_") else "{:.3f}"
    return in_parts(form, *(row[f"{name}{end}"] for end in ("", "_low", "_high")))

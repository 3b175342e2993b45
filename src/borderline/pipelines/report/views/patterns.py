"""The section about the patterns: a card for each.

Each function gives one entry a pattern; cards in full show all of them, the others only the
prototype.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from sklearn.metrics.pairwise import cosine_distances
from torch import Tensor

from borderline.findings import Findings, Pattern
from borderline.measures.plots import cluster_colour
from borderline.pages.pictures import pictures
from borderline.pipelines.report.page import View
from borderline.pipelines.report.trust import trust_in
from borderline.pipelines.report.views.attributions import method_name, picture_attributions, where
from borderline.records import (
    Attributions,
    Clusters,
    Embeddings,
    LabelledImages,
    Part,
    Prototypes,
    Repeats,
    Tipping,
)

_NO_CLUSTER = "#999999"


def view_prototypes(findings: Findings, prototypes: Prototypes) -> list[View]:
    """The head of each card: the pattern's numbers, its trust and its prototype."""
    alt = f"Prototype {{number}}: an image between {findings.negative} and {findings.positive}, "
    shown = pictures(prototypes["images"], prototypes["probabilities"], alt + "{p}", first=0)
    return [
        {
            "pattern": pattern.model_dump(),
            "trust": trust_in(pattern, findings)._asdict(),
            "colour": cluster_colour(pattern.cluster) if pattern.cluster >= 0 else _NO_CLUSTER,
            "prototype": picture,
            "full": False,
        }
        for pattern, picture in zip(findings.patterns, shown, strict=True)
    ]


def view_attributions(
    patterns: Sequence[Pattern],
    prototypes: Prototypes,
    attributions: Attributions,
    explanation_scores: pd.DataFrame,
) -> list[View]:
    """The attributions of each prototype; the first method's strongest pushes in words."""
    if not patterns:
        return []
    methods, count = list(explanation_scores["method"]), len(patterns)
    pushes = {method: attributions[method][:count] for method in methods}
    shown = picture_attributions(prototypes["images"][:count], pushes)
    return [
        {
            "attributions": pictures_of_methods,
            "pushes": (method_name(methods[0]), *where(pushes[methods[0]][number].numpy())),
        }
        for number, pictures_of_methods in enumerate(shown)
    ]


def view_walks(patterns: Sequence[Pattern], tipping: Tipping, train_images: Tensor) -> list[View]:
    """The walk through each prototype, and the nearest real images at its two ends."""
    views = []
    for number in (pattern.prototype for pattern in patterns):
        walk, p = tipping["walks"][number], tipping["real_p"][number]
        negative, positive = tipping["real_rows"][number]
        beside = pictures(
            train_images[torch.cat([negative.flip(0), positive])],
            torch.cat([p[0].flip(0), p[1]]),
            "Real training image, {p}",
        )
        alt = f"Step {{number}} of {len(walk)}, {{p}}"
        views.append(
            {
                "walk": pictures(walk, tipping["walks_p"][number], alt),
                "middle": len(walk) // 2,
                "negatives": beside[: len(negative)],
                "positives": beside[len(negative) :],
            }
        )
    return views


def view_members(
    patterns: Sequence[Pattern],
    borderline: Part,
    embeddings: Embeddings,
    clusters: Clusters,
    prototypes: Prototypes,
    most: int,
) -> list[View]:
    """The images of each cluster, the most similar to the prototype first."""
    if not patterns:
        return []
    vectors, labels = embeddings["embeddings"].numpy(), clusters["labels"].numpy()
    distances = cosine_distances(vectors[prototypes["rows"].numpy()], vectors)
    views = []
    for pattern in patterns:
        rows = np.flatnonzero((labels == pattern.cluster) & (pattern.cluster >= 0))
        rows = rows[distances[pattern.prototype, rows].argsort(kind="stable")][:most]
        alt = "Image {number} of the cluster, {p}"
        shown = pictures(borderline["images"][rows], borderline["probabilities"][rows], alt)
        views.append({"members": shown})
    return views


def view_real_images(
    patterns: Sequence[Pattern],
    real_patterns: pd.DataFrame,
    pair_test: LabelledImages,
    most: int,
) -> list[View]:
    """The real borderline test images that fall into each cluster."""
    views = []
    for pattern in patterns:
        table = real_patterns[real_patterns["cluster"] == pattern.cluster]
        table = table[: most if pattern.cluster >= 0 else 0]
        rows = torch.tensor(table["row"].to_numpy(), dtype=torch.long)
        p = torch.tensor(table["p"].to_numpy(), dtype=torch.float)
        alt = "Real borderline test image {number}, {p}"
        views.append({"real": pictures(pair_test["images"][rows], p, alt)})
    return views


def view_partners(
    patterns: Sequence[Pattern], matches: pd.DataFrame, repeats: Repeats
) -> list[View]:
    """The partner of each prototype in each repeat, with its similarity."""
    names = sorted(repeats)
    images = {n: repeats[names[int(n)]]()["images"] for n in matches["repeat"].unique()}
    views = []
    for pattern in patterns:
        table = matches[matches["prototype"] == pattern.prototype]
        places = zip(table["repeat"], table["row"], strict=True)
        partners = [images[repeat][int(row)] for repeat, row in places]
        stacked = torch.stack(partners) if partners else torch.zeros(0, 1, 1, 1)
        shown = pictures(stacked, None, "Prototype of repeat {number}")
        for picture, similarity in zip(shown, table["similarity"], strict=True):
            picture["caption"] = f"{similarity:.2f}"
        views.append({"partners": shown})
    return views

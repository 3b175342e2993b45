"""The section about the patterns: a card for each.

Each ``view_`` function gives one entry a pattern; cards in full show all of them, the others only
the prototype.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from sklearn.metrics.pairwise import cosine_distances
from torch import Tensor

from borderline.findings import Findings, Pattern
from borderline.measures.plots import as_data_uris, as_picture, cluster_colour, overlay, scale_of
from borderline.pages.pictures import Picture, pictures, stretch_of
from borderline.pages.verdicts import verdict_on
from borderline.pipelines.report.gathering import method_name
from borderline.pipelines.report.page import View
from borderline.pipelines.report.trust import trust_in
from borderline.records import (
    Attributions,
    Clusters,
    Embeddings,
    LabelledImages,
    Part,
    Prototypes,
    RealBorderline,
    Repeats,
    Tipping,
)

_NO_CLUSTER = "#999999"


def view_prototypes(findings: Findings, prototypes: Prototypes) -> list[View]:
    """The head of each card: the pattern's numbers, its verdict, its trust and its prototype."""
    one = "Exemplar" if findings.continuum else "Prototype"
    alt = f"{one} {{number}}: an image between {findings.negative} and {findings.positive}, "
    images, p = prototypes["images"], prototypes["probabilities"]
    shown = pictures(images, p, alt + "{p}", first=0, threshold=findings.threshold)
    return [
        {
            "pattern": pattern.model_dump(),
            "verdict": verdict_on(pattern, findings),
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
) -> Iterator[View]:
    """The attributions of each prototype; the first method's strongest pushes in words."""
    if not patterns:
        return
    methods, count = list(explanation_scores["method"]), len(patterns)
    pushes = {method: attributions[method][:count] for method in methods}
    shown = picture_attributions(prototypes["images"][:count], pushes)
    for number, pictures_of_methods in enumerate(shown):
        places = where(pushes[methods[0]][number].numpy())
        yield {"attributions": pictures_of_methods, "pushes": (method_name(methods[0]), *places)}


def view_walks(
    patterns: Sequence[Pattern], tipping: Tipping, train_images: Tensor, threshold: float
) -> Iterator[View]:
    """The walk through each prototype, and the nearest real images at its two ends."""
    for number in (pattern.prototype for pattern in patterns):
        walk, p = tipping["walks"][number], tipping["real_p"][number]
        negative, positive = tipping["real_rows"][number]
        beside = pictures(
            train_images[torch.cat([negative.flip(0), positive])],
            torch.cat([p[0].flip(0), p[1]]),
            "Real training image, {p}",
            threshold=threshold,
        )
        alt = f"Step {{number}} of {len(walk)}, {{p}}"
        yield {
            "walk": pictures(walk, tipping["walks_p"][number], alt, threshold=threshold),
            "middle": len(walk) // 2,
            "negatives": beside[: len(negative)],
            "positives": beside[len(negative) :],
        }


def view_members(
    patterns: Sequence[Pattern],
    borderline: Part,
    embeddings: Embeddings,
    clusters: Clusters,
    prototypes: Prototypes,
    most: int,
    threshold: float,
) -> Iterator[View]:
    """The images of each cluster, the most similar to the prototype first."""
    if not patterns:
        return
    vectors, labels = embeddings["embeddings"].numpy(), clusters["labels"].numpy()
    distances = cosine_distances(vectors[prototypes["rows"].numpy()], vectors)
    alt = "Image {number} of this group, {p}"
    for pattern in patterns:
        rows = np.flatnonzero((labels == pattern.cluster) & (pattern.cluster >= 0))
        rows = rows[distances[pattern.prototype, rows].argsort(kind="stable")][:most]
        images, p = borderline["images"][rows], borderline["probabilities"][rows]
        yield {"members": pictures(images, p, alt, threshold=threshold)}


def view_real_images(
    patterns: Sequence[Pattern],
    real_patterns: pd.DataFrame,
    pair_test: LabelledImages,
    most: int,
    threshold: float,
) -> Iterator[View]:
    """The real borderline test images that fall into each cluster."""
    alt = "Real borderline test image {number}, {p}"
    for pattern in patterns:
        table = real_patterns[real_patterns["cluster"] == pattern.cluster]
        table = table[: most if pattern.cluster >= 0 else 0]
        rows = torch.tensor(table["row"].to_numpy(), dtype=torch.long)
        p = torch.tensor(table["p"].to_numpy(), dtype=torch.float)
        yield {"real": pictures(pair_test["images"][rows], p, alt, threshold=threshold)}


def view_partners(
    patterns: Sequence[Pattern], matches: pd.DataFrame, repeats: Repeats
) -> Iterator[View]:
    """The partner of each prototype in each repeat, with its similarity."""
    names = sorted(repeats)
    images = {n: repeats[names[int(n)]]()["images"] for n in matches["repeat"].unique()}
    for pattern in patterns:
        table = matches[matches["prototype"] == pattern.prototype]
        places = zip(table["repeat"], table["row"], strict=True)
        partners = [images[repeat][int(row)] for repeat, row in places]
        stacked = torch.stack(partners) if partners else torch.zeros(0, 1, 1, 1)
        shown = pictures(stacked, None, "Prototype of repeat {number}")
        for picture, similarity in zip(shown, table["similarity"], strict=True):
            picture["caption"] = f"{similarity:.2f}"
        yield {"partners": shown}


def view_real_borderline(
    findings: Findings,
    real: RealBorderline,
    attributions: Attributions,
    explanation_scores: pd.DataFrame,
) -> list[View]:
    """Random real borderline images, with their class and their attributions.

    The methods are in the order of the scores; without prototypes there are none, and any will do.
    """
    if len(real["rows"]) == 0:
        return []
    images, p, alt = real["images"], real["probabilities"], "Real borderline test image, {p}"
    tiles = pictures(images, p, alt, threshold=findings.threshold)
    classes = (findings.negative, findings.positive)
    for tile, label in zip(tiles, real["labels"].tolist(), strict=True):
        tile["caption"] = f"is {classes[label]}"
    methods = list(explanation_scores["method"]) or list(attributions)
    pushes = {method: attributions[method] for method in methods}
    shown = picture_attributions(images, pushes, "real image")
    return [{"image": t, "attributions": a} for t, a in zip(tiles, shown, strict=True)]


def picture_attributions(
    images: Tensor, attributions: Mapping[str, Tensor], what: str = "prototype"
) -> list[list[Picture]]:
    """The pictures of each image's attributions, one a method.

    Args:
        images: In [-1, 1], shape (K, C, H, W).
        attributions: By method, shape (K, H, W); all images share the scale of a method.
        what: The name of an image in the alternative texts.
    """
    shown: list[list[Picture]] = [[] for _ in images]
    backgrounds = as_picture(images)
    for method, pushes in attributions.items():
        limit, name = scale_of(pushes), method_name(method)
        for number, (background, push) in enumerate(zip(backgrounds, pushes.numpy(), strict=True)):
            laid = torch.from_numpy(overlay(background, push / limit)).movedim(-1, 0)
            (address,) = as_data_uris(laid[None] * 2 - 1)
            places = zip(("red", "blue"), where(push), strict=True)
            words = [f"{c} mostly at the {place}" if place else f"no {c}" for c, place in places]
            alt = f"{name} of {what} {number}: {', '.join(words)}"
            shown[number].append({"src": address, "alt": alt, "name": name, **stretch_of(laid)})
    return shown


def where(push: np.ndarray) -> tuple[str, str]:
    """The places of the strongest pushes of pixels (H, W) to the positive and the negative class.

    Returns:
        A ninth of the image in words for each, for example ``top right``; empty for no push.
    """
    return _strongest(np.maximum(push, 0)), _strongest(np.maximum(-push, 0))


def _strongest(push: np.ndarray) -> str:
    if not push.any():
        return ""
    ninths = [[box.sum() for box in np.array_split(r, 3, 1)] for r in np.array_split(push, 3, 0)]
    row, column = np.unravel_index(np.argmax(ninths), (3, 3))
    down, across = ("top", "middle", "bottom")[row], ("left", "", "right")[column]
    if not across:
        return f"{down} centre" if down != "middle" else "centre"
    return f"{down} {across}"

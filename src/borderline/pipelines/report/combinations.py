"""The page of a model that shows the best of each reduction with each clustering side by side."""

from __future__ import annotations

from typing import Any

import pandas as pd

from borderline.findings import Findings
from borderline.measures.descriptions import combination_in_words
from borderline.pages import rendering
from borderline.pages.banners import banners
from borderline.pages.boundaries import middle_of_scale
from borderline.pages.pictures import Picture, of_file, pictures
from borderline.records import WINNER, Part


def render(
    model: str,
    findings: Findings,
    scores: pd.DataFrame,
    agreement: pd.DataFrame,
    prototypes: pd.DataFrame,
    maps: bytes,
    borderline: Part,
) -> str:
    """The page of one model.

    Args:
        model: Its name.
        findings: Its findings.
        scores: The table of the pairs.
        agreement: The adjusted Rand indices of the winner and all pairs.
        prototypes: The table of their prototypes.
        maps: Their maps, a PNG.
        borderline: The borderline images.
    """
    shown = [{"name": WINNER, "title": WINNER, "clusters": _clusters(prototypes, WINNER)}]
    shown += [_pair(row, prototypes) for row in scores.to_dict("records")]
    tiles = _pictures(prototypes, borderline, findings.threshold)
    numbers = sorted(prototypes["cluster"].unique().tolist())
    names = agreement["combination"].tolist()
    return rendering.render(
        "borderline.pipelines.report",
        "combinations.html",
        charts=False,
        model=model,
        findings=findings,
        banners=banners({model: findings}),
        middle=middle_of_scale({model: findings}),
        in_short=in_short(scores, findings),
        combinations=shown,
        numbers=numbers,
        tiles=tiles,
        names=[combination_in_words(name) for name in names],
        agreement=agreement[names].to_numpy().tolist(),
        maps=of_file(maps, "UMAP of the borderline images, a panel for each combination"),
    )


def in_short(scores: pd.DataFrame, findings: Findings) -> list[str]:
    """Whether the patterns depend on the choice, in sentences."""
    known = scores[scores["ari_winner"].notna() & ~scores["chosen"]]
    sentences = [f"The winner has {_counted(len(findings.patterns), findings.unit)}."]
    if known.empty:
        return [*sentences, "No other combination has clusters, so there is nothing to compare."]
    ranked = known.sort_values("ari_winner", ascending=False, kind="stable")
    for word, row in zip(("most", "least"), ranked.iloc[[0, -1]].to_dict("records"), strict=True):
        sentences.append(
            f"{combination_in_words(row['combination'])} agrees {word} with it: "
            f"adjusted Rand index {row['ari_winner']:.2f}, {_counted(row['clusters'])}."
        )
    few, many = known["clusters"].min(), known["clusters"].max()
    from_few = f"{few:.0f} to " if few < many else ""
    return [*sentences, f"The other combinations have {from_few}{_counted(many)}."]


def _counted(count: float, unit: str = "cluster") -> str:
    return f"{count:.0f} {unit}{'' if count == 1 else 's'}"


def _pair(row: dict[Any, Any], prototypes: pd.DataFrame) -> dict[str, Any]:
    name, found = row["combination"], row["note"] == ""
    numbers = ("ari_winner", "noise", "objective", "silhouette_original", "davies_bouldin")
    texts = {key: f"{row[key]:.2f}" if pd.notna(row[key]) else "" for key in numbers}
    return {
        **{"name": name, "title": combination_in_words(name), "chosen": bool(row["chosen"])},
        **{"note": row["note"], "recipe": row["recipe"] if pd.notna(row["recipe"]) else ""},
        "count": f"{row['clusters']:.0f}" if found else "",
        **texts,
        "clusters": _clusters(prototypes, name),
    }


def _clusters(prototypes: pd.DataFrame, name: str) -> list[int]:
    return sorted(prototypes["cluster"][prototypes["combination"] == name].tolist())


def _pictures(
    prototypes: pd.DataFrame, borderline: Part, threshold: float
) -> dict[tuple[str, int], list[Picture]]:
    """The prototypes by combination and cluster, with the sizes of the clusters."""
    rows = prototypes["row"].to_list()
    p = borderline["probabilities"][rows]
    drawn = pictures(borderline["images"][rows], p, "Prototype, {p}", threshold=threshold)
    tiles: dict[tuple[str, int], list[Picture]] = {}
    for row, picture in zip(prototypes.to_dict("records"), drawn, strict=True):
        key = row["combination"], row["cluster"]
        caption = f"{row['images']:,} images"
        tiles.setdefault(key, []).append({**picture, "caption": caption})
    return tiles

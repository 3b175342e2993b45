"""Patterns in words: the properties in which the images of a pattern differ from confident ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from scipy.stats import false_discovery_control
from torch import Tensor

from borderline.measures.image_properties import has_ground, image_properties
from borderline.params import RunParams
from borderline.pipelines.prototypes.explaining.comparison import FEWEST, compare
from borderline.pipelines.prototypes.params import WordsParams
from borderline.records import Clusters, LabelledImages, Part, RealView

CLASSES = ("negative", "positive")
"""The classes by label."""

COLUMNS = (
    *("prototype", "cluster", "class", "property", "images", "other_images"),
    *("mean", "other_mean", "effect", "p_value", "q_value", "words"),
)

# The words for more and for less of each property but the slant, which has a direction.
_WORDS = {
    "ink": ("with more ink", "with less ink"),
    "brightness": ("brighter", "darker"),
    "contrast": ("with more contrast", "with less contrast"),
    "thickness": ("thicker", "thinner"),
    "aspect": ("wider", "narrower"),
    "holes": ("with more holes", "with fewer holes"),
    "symmetry": ("more symmetric", "less symmetric"),
    "sharpness": ("sharper", "less sharp"),
    "colourfulness": ("more colourful", "less colourful"),
}


def confident_rows(real: LabelledImages, view: RealView, confident: float) -> tuple[Tensor, Tensor]:
    """The rows of the training images of each class, 0 and 1, that the model is confident of."""
    p, labels = view["train_p"], real["labels"]
    negative = (labels == 0) & (p <= 1 - confident)
    positive = (labels == 1) & (p >= confident)
    return negative.nonzero()[:, 0], positive.nonzero()[:, 0]


def compare_properties(
    borderline: Part,
    clusters: Clusters,
    prototypes: pd.DataFrame,
    real: LabelledImages,
    view: RealView,
    confident: float,
    settings: WordsParams,
    run: RunParams,
) -> pd.DataFrame:
    """Compare the images of each pattern with the model's confident images of each class.

    Returns:
        One row a prototype, class and property, with the results of :func:`compare`, the numbers of
        images, the q-value (Benjamini and Hochberg 1995, over all rows) and the ``words`` for a
        difference that is significant and large enough, else empty text. No rows for a pattern or a
        class with fewer than ``FEWEST`` images.
    """

    def drawn(rows: Tensor, *purpose: str | int) -> Tensor:
        order = torch.randperm(len(rows), generator=run.generator("words", *purpose))
        return rows[order[: settings.images].sort().values]

    sides = [
        real["images"][drawn(rows, name)]
        for rows, name in zip(confident_rows(real, view, confident), CLASSES, strict=True)
    ]
    both = torch.cat(sides)
    # One answer for all, so that their properties are the same.
    ground = len(both) > 0 and has_ground(both)
    of_classes = {n: image_properties(side, ground) for n, side in zip(CLASSES, sides, strict=True)}

    def rows() -> Iterator[dict[str, object]]:
        for number, cluster in zip(prototypes["prototype"], prototypes["cluster"], strict=True):
            members = ((clusters["labels"] == cluster) & (clusters["labels"] >= 0)).nonzero()[:, 0]
            chosen = borderline["images"][drawn(members, "pattern", cluster)]
            values = image_properties(chosen, ground)
            for name, others in of_classes.items():
                if min(len(values), len(others)) < FEWEST:
                    continue
                seed = run.seed_for("words", "permutations", cluster, name)
                table = compare(values, others, settings.permutations, seed)
                sizes = {"images": len(values), "other_images": len(others)}
                about = {"prototype": number, "cluster": cluster, "class": name, **sizes}
                for measured, row in table.iterrows():
                    yield {**about, "property": measured, **row}

    return with_words(pd.DataFrame(rows(), columns=list(COLUMNS)), settings)


def with_words(table: pd.DataFrame, settings: WordsParams) -> pd.DataFrame:
    """The table with q-values over all rows and with words for what is significant."""
    known = table["p_value"].notna()
    table["q_value"] = table["q_value"].astype(float)
    if known.any():
        table.loc[known, "q_value"] = false_discovery_control(table.loc[known, "p_value"])
    said = (table["q_value"] <= settings.level) & (table["effect"].abs() >= settings.least_effect)
    table["words"] = [
        words_for(row["property"], row["mean"], row["other_mean"], row["effect"]) if says else ""
        for says, (_, row) in zip(said, table.iterrows(), strict=True)
    ]
    return table


def words_for(name: str, mean: float, other_mean: float, effect: float) -> str:
    """A difference in words, with its effect size where that is finite.

    Example:
        >>> words_for("thickness", 2.0, 3.0, -0.8)
        'thinner (0.8 SD)'
    """
    if name == "slant":
        more = abs(mean) >= abs(other_mean)
        side = "right" if (mean if more else other_mean) > 0 else "left"
        words = f"{'more' if more else 'less'} slanted to the {side}"
    else:
        words = _WORDS[name][0 if effect > 0 else 1]
    return f"{words} ({abs(effect):.1f} SD)" if np.isfinite(effect) else words

"""Patterns in words: the properties in which the images of a pattern differ from confident ones.

Generated images have no columns beside them, so the columns are those of the real images near a
pattern.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from scipy.stats import false_discovery_control
from torch import Tensor

from borderline.measures.image_properties import has_ground, image_properties
from borderline.measures.near import near_clusters
from borderline.params import RunParams
from borderline.pipelines.prototypes.cluster_model import ClusterModel
from borderline.pipelines.prototypes.explaining.comparison import FEWEST, compare
from borderline.pipelines.prototypes.params import WordsParams
from borderline.records import Clusters, LabelledImages, Part, RealView

CLASSES = ("negative", "positive")
"""The classes by label."""

COLUMNS = (
    *("prototype", "cluster", "compared", "class", "property", "images", "other_images"),
    *("mean", "other_mean", "effect", "p_value", "q_value", "words"),
)

PATTERN, REAL = "pattern", "real"
"""``compared``: the images of a pattern, or the real images near it."""

_ROW = "pair_row"
# A column with more different texts names single images.
_MOST_CATEGORIES = 20
_IS = " = "

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

Rows = Iterator[dict[str, object]]


def confident_rows(
    real: LabelledImages, view: RealView, ends: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """The rows of the training images of each class, 0 and 1, that the model is confident of.

    Confident is a p of at most the first of the ``ends``, or of at least the second.
    """
    p, labels = view["train_p"], real["labels"]
    negative = (labels == 0) & (p <= ends[0])
    positive = (labels == 1) & (p >= ends[1])
    return negative.nonzero()[:, 0], positive.nonzero()[:, 0]


def compare_properties(
    borderline: Part,
    clusters: Clusters,
    prototypes: pd.DataFrame,
    real: LabelledImages,
    view: RealView,
    ends: tuple[float, float],
    settings: WordsParams,
    run: RunParams,
) -> Rows:
    """Compare the images of each pattern with the model's confident images of each class.

    ``ends`` are as in :func:`confident_rows`.

    Yields:
        One row a prototype, class and property, with the results of :func:`compare` and the numbers
        of images. No rows for a pattern or a class with fewer than ``FEWEST`` images.
    """

    def drawn(rows: Tensor, *purpose: str | int) -> Tensor:
        order = torch.randperm(len(rows), generator=run.generator("words", *purpose))
        return rows[order[: settings.images].sort().values]

    sides = [
        real["images"][drawn(rows, name)]
        for rows, name in zip(confident_rows(real, view, ends), CLASSES, strict=True)
    ]
    both = torch.cat(sides)
    # One answer for all, so that their properties are the same.
    ground = len(both) > 0 and has_ground(both)
    of_classes = {n: image_properties(side, ground) for n, side in zip(CLASSES, sides, strict=True)}
    for number, cluster in _patterns(prototypes):
        members = (clusters["labels"] == cluster).nonzero()[:, 0]
        chosen = borderline["images"][drawn(members, PATTERN, cluster)]
        values = image_properties(chosen, ground)
        for name, others in of_classes.items():
            about = {"prototype": number, "cluster": cluster, "compared": PATTERN, "class": name}
            yield from _compared(about, values, others, settings, run)


def compare_columns(
    columns: pd.DataFrame,
    labels: np.ndarray,
    embeddings: np.ndarray,
    prototypes: pd.DataFrame,
    model: ClusterModel,
    settings: WordsParams,
    run: RunParams,
) -> Rows:
    """Compare the real images near each pattern with the others of their class, column by column.

    A real image is near a pattern if it joins its cluster and is typical of it.

    Args:
        columns: The columns beside the real images, a row an image; no rows for no columns.
        labels: The classes of these images, 0 or 1, shape (N,).
        embeddings: Their embeddings, shape (N, D).
        prototypes: The table of prototypes.
        model: The clusters.
        settings: Permutations.
        run: The seed.

    Yields:
        Rows as of :func:`compare_properties`; each category of a column of texts is a property.
    """
    values = as_numbers(columns.drop(columns=_ROW))
    if values.empty or prototypes.empty:
        return
    joined = near_clusters(model, embeddings)
    for number, cluster in _patterns(prototypes):
        for label, name in enumerate(CLASSES):
            here, there = ((joined == cluster) == near for near in (True, False))
            first, second = (values[rows & (labels == label)] for rows in (here, there))
            about = {"prototype": number, "cluster": cluster, "compared": REAL, "class": name}
            yield from _compared(about, first, second, settings, run)


def as_numbers(columns: pd.DataFrame) -> pd.DataFrame:
    """Columns as numbers: those of numbers as they are, 0 or 1 for each category of the others.

    Columns with more than 20 categories are left out.
    """
    numbers: dict[str, pd.Series] = {}
    for name, column in columns.items():
        if is_numeric_dtype(column) and not is_bool_dtype(column):
            numbers[str(name)] = column.astype(float).replace([np.inf, -np.inf], np.nan)
            continue
        categories = sorted(column.dropna().astype(str).unique())
        if len(categories) <= _MOST_CATEGORIES:
            for value in categories:
                hits = (column.astype(str) == value).astype(float)
                numbers[f"{name}{_IS}{value}"] = hits.where(column.notna())
    return pd.DataFrame(numbers, index=columns.index)


def tabulate(rows: Iterator[dict[str, object]], settings: WordsParams) -> pd.DataFrame:
    """The table of all rows with q-values (Benjamini and Hochberg 1995, over all of them).

    ``words`` say a difference that is significant and large enough, and are empty for others.
    """
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    known = table["p_value"].notna()
    table["q_value"] = table["q_value"].astype(float)
    if known.any():
        table.loc[known, "q_value"] = false_discovery_control(table.loc[known, "p_value"])
    said = (table["q_value"] <= settings.level) & (table["effect"].abs() >= settings.least_effect)
    table["words"] = [
        words_for(row["compared"], row["property"], row["mean"], row["other_mean"], row["effect"])
        if says
        else ""
        for says, (_, row) in zip(said, table.iterrows(), strict=True)
    ]
    return table


def words_for(compared: str, name: str, mean: float, other_mean: float, effect: float) -> str:
    """A difference in words, with its effect size where that is finite.

    Example:
        >>> words_for("pattern", "thickness", 2.0, 3.0, -0.8)
        'thinner (0.8 SD)'
        >>> words_for("real", "scanner = B", 0.6, 0.2, 0.9)
        'scanner B more often (60 % instead of 20 %)'
    """
    if compared == REAL and _IS in name:
        often = "more" if effect > 0 else "less"
        shares = f"{100 * mean:.0f} % instead of {100 * other_mean:.0f} %"
        return f"{name.replace(_IS, ' ', 1)} {often} often ({shares})"
    if compared == REAL:
        words = f"a {'higher' if effect > 0 else 'lower'} {name}"
    elif name == "slant":
        more = abs(mean) >= abs(other_mean)
        side = "right" if (mean if more else other_mean) > 0 else "left"
        words = f"{'more' if more else 'less'} slanted to the {side}"
    else:
        words = _WORDS[name][0 if effect > 0 else 1]
    return f"{words} ({abs(effect):.1f} SD)" if np.isfinite(effect) else words


def _patterns(prototypes: pd.DataFrame) -> Iterator[tuple[int, int]]:
    """The number and the cluster of each prototype that has one."""
    for number, cluster in zip(prototypes["prototype"], prototypes["cluster"], strict=True):
        if cluster >= 0:
            yield int(number), int(cluster)


def _compared(
    about: dict[str, object],
    first: pd.DataFrame,
    second: pd.DataFrame,
    settings: WordsParams,
    run: RunParams,
) -> Rows:
    if min(len(first), len(second)) < FEWEST:
        return
    seed = run.seed_for("words", *(str(about[name]) for name in ("compared", "cluster", "class")))
    table = compare(first, second, settings.permutations, seed)
    for name, row in table.iterrows():
        sizes = {"images": len(first), "other_images": len(second)}
        yield {**about, "property": name, **sizes, **row}

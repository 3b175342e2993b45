"""Groups of images, such as those of one patient: their ids, and splits that keep them whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from borderline.errors import BorderlineError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from borderline.records import LabelledImages

# Texts that programs write for a missing value.
_MISSING = {"", "nan", "na", "n/a", "<na>", "nat", "none", "null"}
_MOST_ORDERS, _MOST_STEPS = 20, 20_000


class Groups(NamedTuple):
    """The groups of a source.

    Attributes:
        column: The column that names them.
        ids: The id of each group as written; a group in a record is an index into it.
    """

    column: str
    ids: tuple[str, ...]


def add_groups(
    splits: Sequence[LabelledImages | None],
    tables: Sequence[pd.DataFrame | None],
    column: str,
    source: str,
) -> Groups:
    """Add to the images of each split their groups, and give the groups of all of them.

    Args:
        splits: The images of the splits; None for a split that is not there.
        tables: The columns beside the images of each split; None for none.
        column: The column of the groups, ``source.group_column``.
        source: The name of the source in messages.

    Raises:
        BorderlineError: When there is no such column, and when an image has no group.
    """
    import torch

    there = [str(name) for table in tables if table is not None for name in table]
    if column not in there:
        raise BorderlineError(
            f"source.group_column is {column!r}{did_you_mean(column, there)}, but {source} has no "
            "such column beside those of files, classes and splits (there are "
            f"{', '.join(dict.fromkeys(there)) or 'none'}): name a column that says which images "
            "belong together, such as a patient."
        )
    ids = [
        [_text(value) for value in table[column]]
        if table is not None and column in table
        else [None] * (0 if split is None else len(split["labels"]))
        for split, table in zip(splits, tables, strict=True)
    ]
    texts = [text for of_split in ids for text in of_split]
    if lacking := texts.count(None):
        raise BorderlineError(
            f"source.group_column is {column!r}, but {lacking} of {len(texts)} images of {source} "
            "have no value in it: fill it in, with an id of its own for an image that belongs to "
            "no other, or remove these images."
        )
    names = sorted({*map(str, texts)})
    number = {name: place for place, name in enumerate(names)}
    for split, of_split in zip(splits, ids, strict=True):
        if split is not None:
            split["groups"] = torch.tensor([number[str(text)] for text in of_split])
    return Groups(column, tuple(names))


def split_groups(
    labels: np.ndarray,
    groups: np.ndarray,
    share: float,
    seed: int,
    staying: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Split images so that all images of a group are in one part.

    As by scikit-learn's ``StratifiedGroupKFold``, each group goes where the classes fit best; that
    class knows equal parts only. The groups come in random order, and the best of several orders
    counts: where largest groups come first, the second part has few groups. A class in one group
    only is in the first part.

    Args:
        labels: The class of each image, shape (N,).
        groups: The group of each image, shape (N,).
        share: The wanted share of each class in the second part, in (0, 1).
        seed: The seed of the orders.
        staying: Groups that stay in the first part.

    Returns:
        The rows of both parts in random order. The second part is empty where all images are in one
        group, and its share is as near to ``share`` as the groups allow.
    """
    random = np.random.default_rng(seed)
    names, group = np.unique(groups, return_inverse=True)
    classes, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (group, label), 1)
    free = np.flatnonzero(~np.isin(names, [] if staying is None else staying))
    orders = max(1, min(_MOST_ORDERS, _MOST_STEPS // max(1, len(free))))
    tried = (_taken(counts, random.permutation(free), share) for _ in range(orders))
    _, taken = min(tried, key=lambda choice: choice[0])
    rows = random.permutation(len(groups))
    second = np.isin(group[rows], taken)
    return rows[~second], rows[second]


def _taken(counts: np.ndarray, order: np.ndarray, share: float) -> tuple[float, list[int]]:
    """The cost of the second part, and its groups: those that lower it, in this order."""
    totals = counts.sum(0)
    sums, taken = np.zeros(len(totals)), []
    cost = _cost(sums, totals, share)
    for number in order.tolist():
        trial = sums + counts[number]
        if (new := _cost(trial, totals, share)) < cost:
            sums, cost = trial, new
            taken.append(number)
    return cost, taken


def _cost(sums: np.ndarray, totals: np.ndarray, share: float) -> float:
    """The distance of the second part from ``share`` in each class.

    A class that is missing there costs more than any distance, one that is missing in the first
    part more than all that.
    """
    more = len(totals) + 1
    distance = float(((sums / totals - share) ** 2).sum())
    empty, full = np.count_nonzero(sums == 0), np.count_nonzero(sums == totals)
    return distance + more * (empty + more * full)


def _text(value: Any) -> str | None:
    """An id as text; None for a missing one."""
    if isinstance(value, float | np.floating):
        # A table that once had missing values holds whole numbers as 7.0.
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    text = "" if value is None else str(value).strip()
    return None if text.casefold() in _MISSING else text

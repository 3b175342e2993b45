"""The answers of all raters as tables, and the raters' success with the controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from borderline.measures.intervals import estimate_of_share
from borderline.pipelines.rating.answers import ANSWERS, Rater
from borderline.pipelines.rating.items import KINDS, RIGHT, ids_of
from borderline.records import RatingItems

ANSWER_COLUMNS = [
    *("rater", "file", "item", "place", "kind", "row", "pattern", "answer", "seconds")
]
RATER_COLUMNS = [
    *("rater", "file", "answers", "items", "real", "right", "right_low", "right_high", "used"),
    *(*ANSWERS, "seconds", "note"),
]


def table_of_answers(items: RatingItems, raters: Sequence[Rater]) -> pd.DataFrame:
    """A row for each answer of each rater, in the order of the page; ``place`` counts from 1."""
    kinds, image_rows, patterns = (items[name].tolist() for name in ("kind", "row", "pattern"))
    ids = ids_of(items)
    rows = [
        (
            *(rater.name, rater.file, item, place + 1),
            *(KINDS[kinds[place]], image_rows[place], patterns[place]),
            *(rater.answers[item].answer, rater.answers[item].seconds),
        )
        for rater in raters
        for place, item in enumerate(ids)
        if item in rater.answers
    ]
    return pd.DataFrame(rows, columns=ANSWER_COLUMNS)


def table_of_raters(ratings: pd.DataFrame, items: int, least_right: float) -> pd.DataFrame:
    """A row for each rater, with the share of the confident real images that each gets right.

    The answers of a rater are ``used`` if this share is at least ``least_right``; ``note`` has the
    reason why they are not. ``seconds`` is the median of an answer.
    """
    rows = []
    for (rater, file), answers in ratings.groupby(["rater", "file"], sort=False):
        real = answers[answers["kind"].isin(list(RIGHT))]
        right = int((real["kind"].map(RIGHT) == real["answer"]).sum())
        note = _reason(right, len(real), least_right)
        share = estimate_of_share(right, len(real))
        counts = [int((answers["answer"] == answer).sum()) for answer in ANSWERS]
        about = (rater, file, len(answers), items, len(real), *share, note == "")
        rows.append((*about, *counts, float(answers["seconds"].median()), note))
    return pd.DataFrame(rows, columns=RATER_COLUMNS)


def counts_by_item(ratings: pd.DataFrame, items: int) -> np.ndarray:
    """The number of each answer to each item, integers (N, 4)."""
    counts = np.zeros((items, len(ANSWERS)), dtype=np.int64)
    places = ratings["place"].to_numpy(dtype=np.int64) - 1
    answers = [ANSWERS.index(answer) for answer in ratings["answer"]]
    np.add.at(counts, (places, np.array(answers, dtype=np.int64)), 1)
    return counts


def counts_of_used(ratings: pd.DataFrame, raters: pd.DataFrame, items: int) -> np.ndarray:
    """The counts of ``counts_by_item`` without the answers of raters that are not ``used``."""
    used = raters["rater"][raters["used"].astype(bool)]
    return counts_by_item(ratings[ratings["rater"].isin(list(used))], items)


def answers_by_row(
    ratings: pd.DataFrame, raters: pd.DataFrame, items: RatingItems
) -> dict[str, dict[str, int]]:
    """The number of each answer to each borderline image that has any, by its row as text.

    Answers of raters that are not ``used`` do not count.
    """
    counts = counts_of_used(ratings, raters, len(items["kind"]))
    borderline = items["kind"].numpy() == KINDS.index("borderline")
    return {
        str(row): dict(zip(ANSWERS, map(int, of_item), strict=True))
        for row, of_item in zip(
            items["row"].numpy()[borderline].tolist(), counts[borderline], strict=True
        )
        if of_item.any()
    }


def _reason(right: int, real: int, least_right: float) -> str:
    if real == 0:
        return "answered no confident real image"
    if right / real < least_right:
        return f"{right} of {real} confident real images right, rating.least_right is {least_right}"
    return ""

"""The labels of borderline images: those of people where there are any, else of the committee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from borderline.errors import BorderlineError
from borderline.verdicts.rule import AMBIGUOUS, WEAKNESS

PEOPLE, COMMITTEE = "people", "committee"
HARD, SOFT, NEVER = "hard", "soft", "never"
"""An image trains with the label 0 or 1, with a probability as its label, or not at all."""
COLUMNS = ["source", "verdict", "label", "target", "mean"]
COUNT_COLUMNS = ["images_of", "source", "verdict", "label", "images"]
# Places of the answers of people, as ``human_labels`` counts them.
_POSITIVE, _NEGATIVE, _NEITHER, _CANNOT_TELL = range(4)
_ANSWERS = ("positive", "negative", "neither", "cannot tell")


def labels_of(
    verdicts: pd.DataFrame, answers: Mapping[int, Sequence[int]] | None = None
) -> pd.DataFrame:
    """The label of each image.

    The committee labels an image of the verdict *weakness* with the class that it is sure of, and
    an *ambiguous* one with its mean probability of the positive class among the two. Images of
    other verdicts never train: they are not of the pair, not realistic, copies, or undecided. The
    answers of people count instead where an image has any.

    Args:
        verdicts: The table of ``verdicts.rule.decide``, a row an image.
        answers: The numbers of the answers positive, negative, neither and cannot tell, by row.

    Returns:
        A row an image with ``COLUMNS``: the ``source`` of the label, the ``verdict`` or the answer
        of most people, the kind of ``label``, the ``target`` to train towards and the ``mean`` of
        the opinions, both the probability of the positive class, NaN where the image never trains.
    """
    q = verdicts[["positive", "negative"]].to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        mean = q[:, 0] / q.sum(1)
    verdict = verdicts["verdict"].to_numpy()
    label = np.select([verdict == WEAKNESS, verdict == AMBIGUOUS], [HARD, SOFT], NEVER)
    target = np.where(label == HARD, q[:, 0] > q[:, 1], mean)
    table = pd.DataFrame(
        {"source": COMMITTEE, "verdict": verdict, "label": label, "target": target, "mean": mean},
        columns=COLUMNS,
    ).astype({"source": object, "verdict": object, "label": object})
    for row, counts in (answers or {}).items():
        table.loc[row] = _of_people(counts, float(mean[row]))
    table.loc[table["label"] == NEVER, ["target", "mean"]] = np.nan
    return table


def _of_people(counts: Sequence[int], mean: float) -> tuple[str, str, str, float, float]:
    """The row of an image that people answered; ``mean`` is that of the committee."""
    most = max(counts)
    first = [place for place, count in enumerate(counts) if count == most]
    sides = counts[_POSITIVE] + counts[_NEGATIVE]
    share = counts[_POSITIVE] / sides if sides else mean
    if first in ([_POSITIVE], [_NEGATIVE]):
        answer = _ANSWERS[first[0]]
        return PEOPLE, answer, HARD, float(first == [_POSITIVE]), share
    if first == [_NEITHER]:
        return PEOPLE, _ANSWERS[_NEITHER], NEVER, np.nan, np.nan
    return PEOPLE, _ANSWERS[_CANNOT_TELL], SOFT if share == share else NEVER, share, share


def answers_of(human_labels: Mapping[str, Any], made_for: str) -> dict[int, list[int]]:
    """The answers of people by the row of the borderline image; empty where nobody was asked.

    Args:
        human_labels: The result of the rating.
        made_for: The ``digest_of_patterns`` of the present images.

    Raises:
        BorderlineError: When people rated other images.
    """
    if not human_labels:
        return {}
    if human_labels.get("made_for") != made_for:
        raise BorderlineError(
            "human_labels.json has the answers of people to other borderline images than those of "
            "this run: run `kedro run --pipelines rating` again, or move the file away to repair "
            "with the labels of the committee alone."
        )
    return {int(row): list(counts) for row, counts in human_labels["answers"].items()}


def count_labels(labels: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The number of images of each source, verdict and kind of label, by the name of their set."""
    tables = [
        table.groupby(["source", "verdict", "label"], sort=True)
        .size()
        .rename("images")
        .reset_index()
        .assign(images_of=name)
        for name, table in labels.items()
        if len(table)
    ]
    counted = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return counted.reindex(columns=COUNT_COLUMNS)


def labels_in_words(counts: pd.DataFrame) -> list[str]:
    """A sentence for each set of images: how many train with which label."""
    sentences = []
    for name, here in counts.groupby("images_of", sort=False):
        by = here.groupby(["label", "source"])["images"].sum()
        total = int(here["images"].sum())
        parts = []
        for label, words in ((HARD, "have a label by"), (SOFT, "a soft label by")):
            for source in (PEOPLE, COMMITTEE):
                if count := int(by.get((label, source), 0)):
                    parts.append(f"{count:,} {words} {_BY[source]}")
        never = here[here["label"] == NEVER].groupby("verdict")["images"].sum()
        if len(never):
            reasons = ", ".join(f"{n:,} {str(v).replace('_', ' ')}" for v, n in never.items())
            parts.append(f"{int(never.sum()):,} never train ({reasons})")
        sentences.append(f"Of {total:,} {name}, {'; '.join(parts)}.")
    return sentences


_BY = {PEOPLE: "people", COMMITTEE: "the committee of judges"}

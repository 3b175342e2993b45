"""The labels of borderline images: those of people where there are any, else of the committee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.verdicts.rule import AMBIGUOUS, WEAKNESS

PEOPLE, COMMITTEE, DATA_SET = "people", "committee", "data set"
HARD, SOFT, NEVER = "hard", "soft", "never"
"""An image trains with the label 0 or 1, with a probability as its label, or not at all."""
COLUMNS = ["source", "verdict", "label", "target", "mean"]
COUNT_COLUMNS = ["images_of", "source", "verdict", "label", "images"]
# Places of the answers of people, as ``human_labels`` counts them.
_POSITIVE, _NEGATIVE, _NEITHER, _CANNOT_TELL = range(4)
_ANSWERS = ("positive", "negative", "neither", "cannot_tell")


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

    Raises:
        BorderlineError: When there are answers to images that do not exist.
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
    if not set(answers or {}) <= set(table.index):
        raise _strange()
    for row, counts in (answers or {}).items():
        table.loc[row] = _of_people(counts)
    table.loc[table["label"] == NEVER, ["target", "mean"]] = np.nan
    return table


def _of_people(counts: Sequence[int]) -> tuple[str, str, str, float, float]:
    """The row of an image that people answered.

    The mean of their opinions is the share of positive answers; an answer that names neither class
    counts half.
    """
    mean = 0.5 + (counts[_POSITIVE] - counts[_NEGATIVE]) / sum(counts) / 2
    most = max(counts)
    first = [place for place, count in enumerate(counts) if count == most]
    if first in ([_POSITIVE], [_NEGATIVE]):
        return PEOPLE, _ANSWERS[first[0]], HARD, float(first == [_POSITIVE]), mean
    label = NEVER if first == [_NEITHER] else SOFT
    return PEOPLE, _ANSWERS[_NEITHER if label == NEVER else _CANNOT_TELL], label, mean, mean


def labels_of_real(copies: Tensor) -> pd.DataFrame:
    """The sources and labels of real images, as a table of which ``count_labels`` can count.

    The true labels train, but never those of ``copies``, bool (M,): copies of test and selection
    images, and images of their groups.
    """
    known = copies.numpy()
    verdict = np.where(known, "copies of test or selection images", "real")
    label = np.where(known, NEVER, HARD)
    return pd.DataFrame({"source": DATA_SET, "verdict": verdict, "label": label})


def answers_of(
    human_labels: Mapping[str, Any], human_verdicts: Mapping[str, Any], made_for: str
) -> dict[int, list[int]]:
    """The answers of people by the row of the borderline image; empty where nobody was asked.

    Args:
        human_labels: The answers by image, as the rating counts them.
        human_verdicts: The rating in JSON's types, which ratings of earlier versions have alone.
        made_for: The ``digest_of_patterns`` of the present images.

    Raises:
        BorderlineError: When people rated other images, or their answers have another form.
    """
    if not human_labels:
        if human_verdicts:
            raise BorderlineError(
                "People rated images of this model, but human_labels.json does not have their "
                "answers yet: run `kedro run --pipelines rating` again, or move "
                "human_verdicts.json away to repair with the labels of the committee alone."
            )
        return {}
    if human_labels.get("made_for") != made_for:
        raise BorderlineError(
            "human_labels.json has the answers of people to other borderline images than those of "
            "this run: run `kedro run --pipelines rating` again, or move the file away to repair "
            "with the labels of the committee alone."
        )
    try:
        answers = {
            int(row): [int(counts[answer]) for answer in _ANSWERS]
            for row, counts in human_labels["answers"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _strange() from error
    return answers


def _strange() -> BorderlineError:
    return BorderlineError(
        "human_labels.json does not fit this run or this version of Borderline: write it again "
        "with `kedro run --pipelines rating`."
    )


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
            for source in _BY:
                if count := int(by.get((label, source), 0)):
                    parts.append(f"{count:,} {words} {_BY[source]}")
        never = here[here["label"] == NEVER].groupby("verdict")["images"].sum()
        if len(never):
            reasons = ", ".join(f"{n:,} {str(v).replace('_', ' ')}" for v, n in never.items())
            parts.append(f"{int(never.sum()):,} never train ({reasons})")
        sentences.append(f"Of {total:,} {name}, {'; '.join(parts)}.")
    return sentences


_BY = {PEOPLE: "people", COMMITTEE: "the committee of judges", DATA_SET: "the data set"}

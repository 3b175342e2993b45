"""The labels of borderline images: those of people where there are any, else of the committee."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from torch import Tensor

from borderline.pipelines.repair.params import RepairParams
from borderline.verdicts.people import answer_of_most
from borderline.verdicts.rule import AMBIGUOUS, MEMORISED, WEAKNESS

PEOPLE, COMMITTEE, DATA_SET = "people", "committee", "data set"
HARD, SOFT, NEVER = "hard", "soft", "never"
"""An image trains with the label 0 or 1, with a probability as its label, or not at all."""
BORDERLINE, RANDOM = "borderline images", "random generated images"
REAL = "real images outside of the training"
"""The names of sets of images in the table of ``count_labels``."""
COLUMNS = ["label_source", "verdict", "label_kind", "target", "mean"]
COUNT_COLUMNS = ["images_of", "label_source", "verdict", "label_kind", "images"]


def labels_of(
    verdicts: pd.DataFrame, answers: Mapping[int, Sequence[int]] | None = None
) -> pd.DataFrame:
    """The label of each image.

    The committee labels an image of the verdict *weakness* with the class that it is sure of, and
    an *ambiguous* one with its mean probability of the positive class among the two. Images of
    other verdicts never train: they are not of the pair, not realistic, copies, or undecided. The
    answers of people count instead where an image has any; copies never train.

    Args:
        verdicts: The table of ``verdicts.rule.decide``, a row an image.
        answers: The numbers of ``people.ANSWERS`` by row.

    Returns:
        A row an image with ``COLUMNS``: the ``label_source``, the ``verdict`` or the answer
        of most people, the ``label_kind``, the ``target`` to train towards and the ``mean`` of
        the opinions, both the probability of the positive class, NaN where the image never trains.
    """
    q = verdicts[["positive", "negative"]].to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        mean = q[:, 0] / q.sum(1)
    verdict = verdicts["verdict"].to_numpy()
    label = np.select([verdict == WEAKNESS, verdict == AMBIGUOUS], [HARD, SOFT], NEVER)
    target = np.where(label == HARD, q[:, 0] > q[:, 1], mean)
    table = pd.DataFrame(
        {
            "label_source": COMMITTEE,
            "verdict": verdict,
            "label_kind": label,
            "target": target,
            "mean": mean,
        },
        columns=COLUMNS,
    ).astype({"label_source": object, "verdict": object, "label_kind": object})
    for row, counts in (answers or {}).items():
        # People cannot see that an image is a copy.
        if verdict[row] != MEMORISED:
            table.loc[row] = _of_people(counts)
    table.loc[table["label_kind"] == NEVER, ["target", "mean"]] = np.nan
    return table


def _of_people(counts: Sequence[int]) -> tuple[str, str, str, float, float]:
    """The row of an image that people answered.

    The mean of their opinions is the share of positive answers; an answer that names neither class
    counts half.
    """
    positive, negative, *_ = counts
    mean = 0.5 + (positive - negative) / sum(counts) / 2
    answer = answer_of_most(counts)
    if answer in ("positive", "negative"):
        return PEOPLE, answer, HARD, float(answer == "positive"), mean
    return PEOPLE, answer, NEVER if answer == "neither" else SOFT, mean, mean


def labels_of_real(copies: Tensor) -> pd.DataFrame:
    """The sources and labels of real images, as a table of which ``count_labels`` can count.

    The true labels train, but never those of ``copies``, bool (M,): copies of test and selection
    images, and images of their groups.
    """
    known = copies.numpy()
    verdict = np.where(known, "copies of test or selection images", "real")
    label = np.where(known, NEVER, HARD)
    return pd.DataFrame({"label_source": DATA_SET, "verdict": verdict, "label_kind": label})


def count_labels(labels: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The number of images of each source, verdict and kind of label, by the name of their set."""
    tables = [
        table.groupby(["label_source", "verdict", "label_kind"], sort=True)
        .size()
        .rename("images")
        .reset_index()
        .assign(images_of=name)
        for name, table in labels.items()
        if len(table)
    ]
    counted = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return counted.reindex(columns=COUNT_COLUMNS)


def labels_in_words(counts: pd.DataFrame, repair: RepairParams) -> list[str]:
    """A sentence for each set of images that an arm adds: how many train with which label."""
    sentences = []
    for name, here in counts.groupby("images_of", sort=False):
        if not _ARMS_OF[str(name)] & {*repair.arms}:
            continue
        by = here.groupby(["label_kind", "label_source"])["images"].sum()
        total = int(here["images"].sum())
        parts = []
        for label, source in itertools.product((HARD, SOFT), _BY):
            if count := int(by.get((label, source), 0)):
                has, are = ("has", "is") if count == 1 else ("have", "are")
                if label == HARD:
                    parts.append(f"{count:,} {has} a label by {_BY[source]}")
                elif repair.ambiguous == "soft":
                    parts.append(f"{count:,} {has} a soft label by {_BY[source]}")
                elif name == BORDERLINE and "soft" in repair.arms:
                    parts.append(f"{count:,} {are} ambiguous to {_BY[source]}, {_ONLY_SOFT}")
                else:
                    parts.append(f"{count:,} {are} ambiguous to {_BY[source]} and left out")
        never = here[here["label_kind"] == NEVER].groupby("verdict")["images"].sum()
        if len(never):
            reasons = ", ".join(f"{n:,} {str(v).replace('_', ' ')}" for v, n in never.items())
            verb = "trains" if never.sum() == 1 else "train"
            parts.append(f"{int(never.sum()):,} never {verb} ({reasons})")
        sentences.append(f"Of {total:,} {name}, {'; '.join(parts)}.")
    return sentences


_BY = {PEOPLE: "people", COMMITTEE: "the committee of judges", DATA_SET: "the data set"}
_ARMS_OF = {
    BORDERLINE: {"boundary", "prototypes", "soft"},
    RANDOM: {"random"},
    REAL: {"uncertain"},
}
_ONLY_SOFT = "left out by all arms but that of soft labels"

"""The committee: its members, its columns, and its scores on real images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from borderline.committee import Committee
from borderline.imported.judge import ImportedJudge
from borderline.records import LabelledImages


def committee_of(
    judges: Sequence[nn.Module], classes: Sequence[str], labels: tuple[int, int]
) -> Committee:
    """The committee of judges over all classes, or of one imported judge with columns of its own.

    Args:
        judges: The members, at least one.
        classes: The names of the classes of the source.
        labels: The labels of the positive and the negative class.
    """
    judge, columns, names = judges[0], labels, tuple(classes)
    if isinstance(judge, ImportedJudge):
        if not judge.has_head:
            judges, names = [], ()
        elif judge.params.columns is not None:
            columns = judge.params.columns
            of_pair = dict(zip(columns, labels, strict=True))
            with torch.no_grad():
                width = judge(judge.blank()).shape[1]
            names = tuple(
                classes[of_pair[i]] if i in of_pair else f"column {i}" for i in range(width)
            )
    positive, negative = columns
    return Committee(members=tuple(judges), classes=names, positive=positive, negative=negative)


def score_committee(
    committee: Committee, pair_test: LabelledImages, device: torch.device
) -> dict[str, float]:
    """Scores on the test images of the pair.

    Returns:
        The number of ``members`` with an opinion; ``accuracy``, the share of images whose class has
        the highest probability among all classes; ``confidence``, the mean of that highest
        probability; the mean ``disagreement`` in nats; ``test_images``. NaN without an opinion.
    """
    row = {"members": len(committee.members), "test_images": len(pair_test["labels"])}
    names = ("accuracy", "confidence", "disagreement")
    if not committee.members:
        return row | dict.fromkeys(names, math.nan)
    probabilities, disagreement = committee.opinion(pair_test["images"], device)
    highest = probabilities.max(1)
    columns = torch.tensor([committee.negative, committee.positive])[pair_test["labels"]]
    values = ((highest.indices == columns).double(), highest.values, disagreement)
    return row | {
        name: value.double().mean().item() for name, value in zip(names, values, strict=True)
    }

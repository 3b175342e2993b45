"""The circumstances of a repair, which its words need beside the comparison of the arms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from borderline.pipelines.repair.outcomes import Outcome
from borderline.pipelines.repair.params import RepairParams

_SOURCES = {"people": "people", "committee": "the committee"}
_SOFT = "soft"
_NO_REASON = "it has too few labelled images (see repair_labels.csv)"


class Circumstances(NamedTuple):
    """The circumstances of a repair.

    Attributes:
        added: The number of images that each arm adds.
        labels: Sentences on the labels of the borderline images.
        left_out: The reason for each arm of the setting that was left out.
        diverged: The names of diverged trainings.
        kept: The arm whose model is kept.
        selection_loss: The mean loss of that arm on the selection images.
    """

    added: int
    labels: Sequence[str]
    left_out: Mapping[str, str]
    diverged: Sequence[str]
    kept: str
    selection_loss: float


def circumstances_of(
    trained: Sequence[Outcome],
    kept: str,
    history: pd.DataFrame,
    labels: pd.DataFrame,
    repair: RepairParams,
) -> Circumstances:
    """The circumstances of a repair.

    Args:
        trained: The outcomes of all trainings.
        kept: The arm whose model is kept.
        history: The table of the trainings, with their ``added_images``.
        labels: The table of the labels: rows with an ``arm`` have the reason in ``note`` if it is
            left out; the other rows count the ``images`` of each ``verdict``, ``source`` of the
            label (``people`` or ``committee``) and ``label``, which may be ``soft`` or empty.
        repair: The settings.
    """
    arms = {outcome.arm for outcome in trained}
    of_arms = labels[labels["arm"].notna()]
    notes = dict(zip(of_arms["arm"], of_arms["note"], strict=True))
    return Circumstances(
        added=int(history["added_images"].max()),
        labels=list(labels_in_words(labels[labels["arm"].isna()])),
        left_out={
            arm: notes[arm] if isinstance(notes.get(arm), str) and notes[arm] else _NO_REASON
            for arm in repair.arms
            if arm not in arms
        },
        diverged=[outcome.name for outcome in trained if not outcome.is_finite],
        kept=kept,
        selection_loss=fmean(
            [each.selection_loss for each in trained if each.arm == kept] or [math.nan]
        ),
    )


def labels_in_words(counts: pd.DataFrame) -> Iterator[str]:
    """One sentence on the labels of the borderline images, from their counts."""
    images, labelled = counts["images"], counts["label"].notna()
    parts = [
        f"{images[labelled & (counts['source'] == source)].sum():,} from {name}"
        for source, name in _SOURCES.items()
    ]
    soft = images[counts["label"] == _SOFT].sum()
    yield (
        f"{images[labelled].sum():,} of {images.sum():,} borderline images have a label: "
        f"{' and '.join(parts)}; {soft:,} of these labels {'is' if soft == 1 else 'are'} soft."
    )

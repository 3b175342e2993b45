"""The circumstances of a repair, which its words need beside the comparison of the arms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from borderline.findings import written
from borderline.pipelines.repair.arms import (
    arms_in,
    count_of,
    fewest_in,
    left_out,
    mean_targets,
    pool_sizes,
)
from borderline.pipelines.repair.labels import RANDOM, labels_in_words
from borderline.pipelines.repair.outcomes import ARMS, Outcome
from borderline.pipelines.repair.params import RepairParams
from borderline.records import RepairImages


class Circumstances(NamedTuple):
    """The circumstances of a repair.

    Attributes:
        added: Sentences on the added images and their labels.
        left_out: The arms that were left out, with the number of their images in words.
        diverged: The diverged trainings in words.
        kept: The arm whose model is kept.
        selection_loss: The mean loss of that arm on the selection images.
        kept_error: The error of the kept model, its first training, on the test images.
    """

    added: Sequence[str]
    left_out: Mapping[str, str]
    diverged: Sequence[str]
    kept: str
    selection_loss: float
    kept_error: float


def circumstances_of(
    trained: Sequence[Outcome],
    kept: str,
    repair_images: RepairImages,
    labels: pd.DataFrame,
    scores: pd.DataFrame,
    repair: RepairParams,
) -> Circumstances:
    """The circumstances of a repair.

    Args:
        trained: The outcomes of all trainings.
        kept: The arm whose model is kept.
        repair_images: The pools of the arms.
        labels: The table of ``count_labels``.
        scores: The table of ``outcomes.score``.
        repair: The settings.
    """
    losses = [outcome.selection_loss for outcome in trained if outcome.arm == kept]
    return Circumstances(
        added=[
            *_added_in_words(repair_images, repair),
            *labels_in_words(labels, repair),
            *_targets_in_words(repair_images, repair),
        ],
        left_out=_left_out_in_words(repair_images, labels, repair),
        diverged=[f"{ARMS[o.arm]} (seed {o.seed})" for o in trained if not o.is_finite],
        kept=kept,
        selection_loss=fmean(losses) if losses else math.nan,
        kept_error=float(scores[(scores["arm"] == kept) & (scores["seed"] == 1)]["error"].iloc[0]),
    )


def _left_out_in_words(
    repair_images: RepairImages, labels: pd.DataFrame, repair: RepairParams
) -> dict[str, str]:
    """The arms that were left out, with what they have in words."""
    least = fewest_in(repair)
    needed = f"and at least {least} {'is' if least == 1 else 'are'} needed"
    why: dict[str, str] = {
        arm: f"{size or 'no'} labelled image{'' if size == 1 else 's'}, {needed}"
        for arm, size in left_out(repair_images, repair).items()
    }
    if "random" in why and RANDOM not in {*labels["images_of"]}:
        why["random"] = "no images, because the chosen generator blends real images"
    return why


def _added_in_words(repair_images: RepairImages, repair: RepairParams) -> Iterator[str]:
    """Sentences on the number of added images and on arms that add the same ones."""
    count, sizes = count_of(repair_images, repair), pool_sizes(repair_images, repair)
    limit = ""
    if count < repair.images:
        smallest = ", ".join(ARMS[arm] for arm, size in sizes.items() if size == count)
        limit = f", not {repair.images:,} (repair.images): the smallest has no more ({smallest})"
    yield f"Each arm with added images adds {count:,} to the training images{limit}."
    if {"boundary", "prototypes"} <= set(arms_in(repair_images, repair)):
        pool = sizes["boundary"]
        both = f"{ARMS['boundary'].capitalize()} and {ARMS['prototypes']}"
        if pool == count:
            yield f"{both} are the same images here, because no others have a label."
        elif pool < 2 * count:
            share = written("{:.0%}", count / pool)
            yield (
                f"{both} are mostly the same images here ({share} on average), because only "
                f"{pool:,} have a label."
            )


def _targets_in_words(repair_images: RepairImages, repair: RepairParams) -> Iterator[str]:
    """A sentence on the mean targets of the arms; none where no arm has a pool."""
    if means := mean_targets(repair_images, repair):
        of_arms = ", ".join(f"{ARMS[arm]} {mean:.2f}" for arm, mean in means.items())
        yield f"Mean label of the added images, where 1 is the positive class: {of_arms}."

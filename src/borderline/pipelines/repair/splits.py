"""The reserve and the selection images of a repair."""

from __future__ import annotations

import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from borderline.datasets.groups import split_groups
from borderline.params import RunParams
from borderline.records import LabelledImages


def split_reserve(
    pair_train: LabelledImages, rows: Tensor, run: RunParams
) -> tuple[Tensor, Tensor]:
    """Halve the rows of the validation images into the reserve and the selection images."""
    labels, seed = pair_train["labels"][rows].numpy(), run.seed_for("repair", "reserve")
    if "groups" in pair_train:
        halves = split_groups(labels, pair_train["groups"][rows].numpy(), 0.5, seed)
    else:
        halves = train_test_split(
            torch.arange(len(rows)).numpy(), test_size=0.5, stratify=labels, random_state=seed
        )
    reserve, selection = (rows[torch.from_numpy(half)] for half in halves)
    return reserve, selection

"""The halves of the validation images in a repair: the reserve and the selection images."""

from __future__ import annotations

import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from borderline.datasets.groups import split_groups
from borderline.params import RunParams
from borderline.records import LabelledImages
from borderline.training.epochs import split_validation
from borderline.training.params import TrainingParams


def split_reserve(
    pair_train: LabelledImages, rows: Tensor, run: RunParams
) -> tuple[Tensor, Tensor]:
    """The rows of the reserve and of the selection images, two halves of the validation images.

    The arm ``uncertain`` of a repair trains on images of the reserve; no arm trains on the
    selection images. The halves are stratified by the labels and keep groups whole. The reserve is
    empty where a class has only one image, and where all images are in one group.

    Args:
        pair_train: The images of the pair.
        rows: The rows of the validation images, (V,).
        run: The seed.
    """
    labels, seed = pair_train["labels"][rows].numpy(), run.seed_for("repair", "reserve")
    if "groups" in pair_train:
        halves = split_groups(labels, pair_train["groups"][rows].numpy(), 0.5, seed)
    elif pair_train["labels"][rows].bincount(minlength=2).min() < 2:
        return rows[:0], rows
    else:
        numbers = torch.arange(len(rows)).numpy()
        halves = train_test_split(numbers, test_size=0.5, stratify=labels, random_state=seed)
    # Images that cannot be halved are all in the first part.
    selection, reserve = (rows[torch.from_numpy(half)] for half in halves)
    return reserve, selection


def validation_rows(
    pair_train: LabelledImages, training: TrainingParams, run: RunParams, *, repaired: bool
) -> Tensor:
    """The rows of the validation images of a model under test; no weights were fitted to them.

    For a repaired model these are the selection images, because it may have been trained on the
    reserve.
    """
    _, rows = split_validation(pair_train, training, run, "classifier")
    return split_reserve(pair_train, rows, run)[1] if repaired else rows

"""The arms of a repair and their added images."""

from __future__ import annotations

import torch
from torch import Tensor

from borderline.pipelines.repair.params import CONTROL, Arm, RepairParams
from borderline.records import RepairImages

FEWEST = 20


def arms_in(repair_images: RepairImages, repair: RepairParams) -> list[Arm]:
    """The arms that have enough images."""
    pools = {arm: len(repair_images.get(f"{arm}.images", ())) for arm in repair.arms}
    return [arm for arm in repair.arms if arm in (CONTROL, "augmented") or pools[arm] >= FEWEST]


def count_of(repair_images: RepairImages, repair: RepairParams) -> int:
    """The number of added images of each arm but the control."""
    arms = arms_in(repair_images, repair)
    pools = [len(repair_images[f"{a}.images"]) for a in arms if f"{a}.images" in repair_images]
    return min([repair.images, *pools])


def added(
    repair_images: RepairImages,
    arm: Arm,
    count: int,
    seed: int,
    train_images: Tensor,
    train_labels: Tensor,
    repair: RepairParams,
) -> tuple[Tensor, Tensor]:
    """The added images of one training and their targets."""
    if arm == CONTROL:
        return train_images[:0], train_labels[:0].float()
    random = torch.Generator().manual_seed(seed)
    if arm == "augmented":
        rows = torch.randperm(len(train_images), generator=random)[:count]
        return train_images[rows].flip(-1), train_labels[rows].float()
    images, targets = repair_images[f"{arm}.images"], repair_images[f"{arm}.targets"]
    rows = torch.randperm(len(images), generator=random)[:count]
    return images[rows], targets[rows]

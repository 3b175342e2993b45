"""The arms of a repair: the sets of images that are added to the training images."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms import v2

from borderline.pipelines.repair.params import CONTROL, Arm, AugmentationParams, RepairParams
from borderline.records import RepairImages

FEWEST = 20
"""An arm with fewer images is left out."""
_AUGMENTED: Arm = "augmented"
# Arms whose images are in an order: the first ones are taken. Others are drawn at random.
_IN_ORDER: tuple[Arm, ...] = ("prototypes", "uncertain")


def pool_sizes(repair_images: RepairImages, repair: RepairParams) -> dict[Arm, int]:
    """The number of images in the pool of each arm that has one."""
    named = [arm for arm in repair.arms if arm not in (CONTROL, _AUGMENTED)]
    return {arm: len(repair_images[f"{arm}.images"]) for arm in named}


def arms_in(repair_images: RepairImages, repair: RepairParams) -> list[Arm]:
    """The arms of the setting that have enough images, in its order."""
    sizes = pool_sizes(repair_images, repair)
    return [arm for arm in repair.arms if sizes.get(arm, FEWEST) >= FEWEST]


def count_of(repair_images: RepairImages, repair: RepairParams) -> int:
    """The number of added images, the same in each arm but the control.

    It is limited by the smallest pool of an arm that has enough images.
    """
    sizes = [n for n in pool_sizes(repair_images, repair).values() if n >= FEWEST]
    return min([repair.images, *sizes])


def left_out(repair_images: RepairImages, repair: RepairParams) -> dict[Arm, int]:
    """The arms that are left out because their pool is too small, with its size."""
    sizes = pool_sizes(repair_images, repair)
    return {arm: size for arm, size in sizes.items() if size < FEWEST}


def added(
    repair_images: RepairImages,
    arm: Arm,
    count: int,
    seed: int,
    train_images: Tensor,
    train_labels: Tensor,
    repair: RepairParams,
) -> tuple[Tensor, Tensor]:
    """The images that one training adds, and their targets.

    Args:
        repair_images: The pools of the arms.
        arm: The arm.
        count: The number of added images of each arm but the control.
        seed: Of the draw and of the augmentation.
        train_images: The real images in training, (N, C, H, W).
        train_labels: 0 or 1, (N,).
        repair: The settings.

    Returns:
        Images (count, C, H, W) in [-1, 1] and the probabilities of the positive class, float32
        (count,); none for the control.
    """
    if arm == CONTROL:
        return train_images[:0], train_labels[:0].float()
    random = torch.Generator().manual_seed(seed)
    if arm == _AUGMENTED:
        rows = torch.randperm(len(train_images), generator=random)[:count]
        changed = augmented(train_images[rows], repair.augmentation, seed)
        return changed, train_labels[rows].float()
    images, targets = repair_images[f"{arm}.images"], repair_images[f"{arm}.targets"]
    if arm in _IN_ORDER:
        return images[:count], targets[:count]
    rows = torch.randperm(len(images), generator=random)[:count]
    return images[rows], targets[rows]


def augmented(images: Tensor, changes: AugmentationParams, seed: int) -> Tensor:
    """Images (n, C, H, W), each rotated, shifted and scaled at random by torchvision.

    The pixels at the edge continue beyond it, so that no black corners appear.
    """
    height, width = images.shape[-2:]
    change = v2.Compose(
        [
            v2.Pad([width // 2, height // 2], padding_mode="edge"),
            v2.RandomAffine(
                changes.degrees,
                # The shares are of the padded sides, which are twice as long.
                (changes.translate / 2, changes.translate / 2),
                changes.scale,
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.CenterCrop([height, width]),
        ]
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # One image at a time, because a batch would be changed in one way.
        return torch.stack([change(image) for image in images]).clamp(-1, 1)

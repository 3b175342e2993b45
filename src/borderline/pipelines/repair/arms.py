"""The arms of a repair: the sets of images that are added to the training images."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchvision.transforms import v2

from borderline.pipelines.repair.params import AGAIN, Arm, AugmentationParams, RepairParams
from borderline.records import RepairImages

FEWEST = 20
"""An arm with fewer images is left out, unless the setting ``images`` asks for even fewer."""
_AUGMENTED: Arm = "augmented"
# Arms whose images are in an order: the first ones are taken. Others are drawn at random.
_IN_ORDER: tuple[Arm, ...] = ("prototypes", "uncertain")


def pool_sizes(repair_images: RepairImages, repair: RepairParams) -> dict[Arm, int]:
    """The number of images in the pool of each arm that has one."""
    named = [arm for arm in repair.arms if arm not in (AGAIN, _AUGMENTED)]
    return {arm: len(repair_images.get(f"{arm}.images", ())) for arm in named}


def arms_in(repair_images: RepairImages, repair: RepairParams) -> list[Arm]:
    """The arms of the setting that have enough images, in its order."""
    short = left_out(repair_images, repair)
    return [arm for arm in repair.arms if arm not in short]


def count_of(repair_images: RepairImages, repair: RepairParams) -> int:
    """The number of added images, the same in each arm but the control.

    It is limited by the smallest pool of an arm that has enough images.
    """
    sizes, short = pool_sizes(repair_images, repair), left_out(repair_images, repair)
    return min([repair.images, *(size for arm, size in sizes.items() if arm not in short)])


def left_out(repair_images: RepairImages, repair: RepairParams) -> dict[Arm, int]:
    """The arms that are left out because their pool is too small, with its size."""
    sizes = pool_sizes(repair_images, repair)
    return {arm: size for arm, size in sizes.items() if size < fewest_in(repair)}


def fewest_in(repair: RepairParams) -> int:
    """The least number of images in the pool of an arm."""
    return min(FEWEST, repair.images)


def mean_targets(repair_images: RepairImages, repair: RepairParams) -> dict[Arm, float]:
    """The mean target of the images that each arm with a pool adds, in [0, 1].

    It is near the share of the positive class. Arms differ in it, because a committee may be surer
    of one class at the boundary; training on more images of a class moves the model by itself.
    """
    count = count_of(repair_images, repair)
    named = {arm: repair_images.get(f"{arm}.targets") for arm in arms_in(repair_images, repair)}
    return {
        arm: float((targets[:count] if arm in _IN_ORDER else targets).double().mean())
        for arm, targets in named.items()
        if targets is not None
    }


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
    if arm == AGAIN:
        return train_images[:0], train_labels[:0].float()
    random = torch.Generator().manual_seed(seed)
    if arm == _AUGMENTED:
        # All images are changed once before any is changed twice.
        turns = range(-(-count // len(train_images)))
        orders = [torch.randperm(len(train_images), generator=random) for _ in turns]
        rows = torch.cat(orders)[:count]
        changed = augmented(train_images[rows], repair.augmentation, seed)
        return changed, train_labels[rows].float()
    images, targets = repair_images[f"{arm}.images"], repair_images[f"{arm}.targets"]
    if arm in _IN_ORDER:
        return images[:count], targets[:count]
    rows = torch.randperm(len(images), generator=random)[:count]
    return images[rows], targets[rows]


def augmented(images: Tensor, changes: AugmentationParams, seed: int) -> Tensor:
    """Images (n, C, H, W), each rotated, shifted and scaled at random by torchvision.

    The pixels at the edge continue beyond it, so that no grey corners appear.
    """
    height, width = images.shape[-2:]
    margin = _margin(height, width, changes)
    # RandomAffine takes shares of the sides, which the margin makes longer.
    shares = [changes.translate * side / (side + 2 * margin) for side in (width, height)]
    change = v2.Compose(
        [
            v2.Pad(margin, padding_mode="edge"),
            v2.RandomAffine(
                changes.degrees,
                (shares[0], shares[1]),
                changes.scale,
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.CenterCrop([height, width]),
        ]
    )
    with torch.random.fork_rng(devices=[]):
        # Only this generator: torch.manual_seed would seed those of all devices.
        torch.default_generator.manual_seed(seed)
        # One image at a time, because a batch would be changed in one way.
        return torch.stack([change(image) for image in images]).clamp(-1, 1)


def _margin(height: int, width: int, changes: AugmentationParams) -> int:
    """The number of pixels around an image that hold all places that a change can reach."""
    shift = changes.translate * math.hypot(height, width)
    reach = (math.hypot(height, width) / 2 + shift) / changes.scale[0]
    return max(0, math.ceil(reach - min(height, width) / 2)) + 1

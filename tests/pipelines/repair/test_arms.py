from __future__ import annotations

from typing import Any

import pytest
import torch

from borderline.pipelines.repair.arms import (
    added,
    arms_in,
    augmented,
    count_of,
    left_out,
    mean_targets,
)
from borderline.pipelines.repair.params import AugmentationParams, RepairParams
from conftest import base_settings

REAL = torch.rand(60, 1, 9, 12) * 2 - 1
LABELS = torch.arange(60) % 2


def repair_of(**changed: Any) -> RepairParams:
    return RepairParams.model_validate({**base_settings()["repair"], **changed})


def pools(**sizes: int) -> dict[str, torch.Tensor]:
    images = {arm: torch.arange(n).float().reshape(n, 1, 1, 1) / 100 for arm, n in sizes.items()}
    return {f"{arm}.images": some for arm, some in images.items()} | {
        f"{arm}.targets": some.flatten() for arm, some in images.items()
    }


SIZES = {"boundary": 90, "prototypes": 90, "random": 19, "uncertain": 40, "soft": 95}


def test_all_arms_add_equally_many_images() -> None:
    repair = repair_of()
    assert "random" not in arms_in(pools(**SIZES), repair)
    assert left_out(pools(**SIZES), repair) == {"random": 19}
    assert count_of(pools(**SIZES), repair) == 40
    assert count_of(pools(**SIZES), repair_of(images=30)) == 30
    for arm in arms_in(pools(**SIZES), repair):
        images, targets = added(pools(**SIZES), arm, 40, 1, REAL, LABELS, repair)
        assert len(images) == len(targets) == (0 if arm == "again" else 40)
        assert targets.dtype == torch.float32


def test_mean_target_is_that_of_the_images_that_are_added() -> None:
    means = mean_targets(pools(**SIZES), repair_of())
    # The first 40 of the ordered pools, and all of the others; targets rise by 1 / 100.
    in_order, of_90, of_95 = 0.195, 0.445, 0.47
    expected = {"boundary": of_90, "prototypes": in_order, "uncertain": in_order, "soft": of_95}
    assert means == pytest.approx(expected)


def test_a_setting_of_few_images_leaves_no_arm_out() -> None:
    few = pools(boundary=5, random=4, uncertain=9)
    repair = repair_of(arms=["again", "boundary", "random", "uncertain"], images=5)
    assert arms_in(few, repair) == ["again", "boundary", "uncertain"]
    assert count_of(few, repair) == 5


def test_few_training_images_are_augmented_several_times() -> None:
    images, targets = added({}, "augmented", 150, 1, REAL, LABELS, repair_of())
    assert len(images) == len(targets) == 150
    # All 60 come twice, and 30 of them once more.
    assert 75 - 30 <= int(targets.sum()) <= 75 + 30


def test_the_first_images_of_an_ordered_pool_are_added_and_others_drawn() -> None:
    repair, made = repair_of(), pools(**SIZES)
    for arm, in_order in {"uncertain": True, "prototypes": True, "soft": False}.items():
        first, again, other = (
            added(made, arm, 40, seed, REAL, LABELS, repair)  # type: ignore[arg-type]
            for seed in (1, 1, 2)
        )
        assert torch.equal(first[0].flatten(), first[1]), "an image and its target stay together"
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[0], other[0]) == in_order
        assert torch.equal(first[1], made[f"{arm}.targets"][:40]) == in_order


@pytest.mark.parametrize("shape", [(1, 9, 12), (3, 8, 8)])
def test_augmented_images_are_changed_each_in_its_own_way(shape: tuple[int, int, int]) -> None:
    image = torch.zeros(shape)
    image[:, 3:6, 3:6] = 1
    images, state = image.expand(4, *shape), torch.get_rng_state()
    changes = AugmentationParams(degrees=20, translate=0.2, scale=(0.8, 1.2))
    changed = augmented(images, changes, 3)
    assert changed.shape == images.shape
    assert changed.min() >= -1
    assert changed.max() <= 1
    assert len(changed.unique(dim=0)) == 4
    assert torch.equal(changed, augmented(images, changes, 3))
    assert torch.equal(torch.get_rng_state(), state)
    same = augmented(images, AugmentationParams(degrees=0, translate=0, scale=(1, 1)), 3)
    torch.testing.assert_close(same, images)


@pytest.mark.parametrize(
    ("shape", "degrees", "smallest"),
    [((1, 12, 12), 45, 0.9), ((1, 8, 40), 90, 0.9), ((3, 40, 9), 180, 0.3)],
)
def test_no_black_corner_appears(
    shape: tuple[int, int, int], degrees: float, smallest: float
) -> None:
    changes = AugmentationParams(degrees=degrees, translate=0.3, scale=(smallest, 1.1))
    bright = torch.full((5, *shape), 0.7)
    torch.testing.assert_close(augmented(bright, changes, 0), bright)


def test_images_are_shifted_by_their_share_of_the_side_at_most() -> None:
    dot = torch.full((60, 1, 21, 41), -1.0)
    dot[:, :, 10, 20] = 1
    moved = augmented(dot, AugmentationParams(degrees=0, translate=0.2, scale=(1, 1)), 0)
    places = moved.flatten(1).argmax(1)
    assert (places % 41 - 20).abs().max() in (7, 8)
    assert (places // 41 - 10).abs().max() == 4

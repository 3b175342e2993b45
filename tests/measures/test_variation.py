from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from borderline.measures.intervals import Estimate
from borderline.measures.variation import fault_of_variation, mean_variation, total_variation

RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(40, 3, 12, 20, generator=RANDOM) * 2 - 1


def test_it_is_the_mean_difference_of_neighbouring_pixels() -> None:
    levels = (IMAGES.double() + 1) / 2
    down, across = levels.diff(dim=2).abs(), levels.diff(dim=3).abs()
    expected = torch.cat([down.flatten(1), across.flatten(1)], 1).mean(1)
    assert torch.allclose(total_variation(IMAGES), expected)


def test_a_soft_image_has_less_and_a_noisy_one_more() -> None:
    soft = F.avg_pool2d(IMAGES, 3, stride=1, padding=1, count_include_pad=False)
    noisy = (soft + 0.5 * torch.randn(soft.shape, generator=RANDOM)).clamp(-1, 1)
    assert (total_variation(soft) < total_variation(IMAGES)).all()
    assert (total_variation(noisy) > total_variation(soft)).all()


def test_parts_and_shapes_do_not_count() -> None:
    together = total_variation(IMAGES)
    assert torch.equal(together, torch.cat([total_variation(part) for part in IMAGES.split(7)]))
    assert torch.allclose(together, total_variation(IMAGES.transpose(2, 3)))
    assert torch.allclose(
        total_variation(IMAGES[:, :1]), total_variation(IMAGES[:, :1].expand(-1, 3, -1, -1))
    )
    assert total_variation(IMAGES[:0]).shape == (0,)


def test_mean_of_few_images() -> None:
    assert all(math.isnan(number) for number in mean_variation(torch.empty(0)))
    one = mean_variation(torch.tensor([0.25]))
    assert one.value == 0.25
    assert math.isnan(one.low)


def test_two_real_images_are_hardly_ever_a_reference() -> None:
    # The generated images have the distribution of the real ones.
    draws = 0.05 * (1 + 0.4 * torch.randn(500, 1002, generator=RANDOM).clamp(-2, 2))
    faults = [fault_of_variation(mean_variation(row[2:]), mean_variation(row[:2])) for row in draws]
    assert sum(map(bool, faults)) / len(faults) <= 0.05


@pytest.mark.parametrize(
    ("images", "real", "word"),
    [
        (Estimate(0.03, 0.029, 0.031), Estimate(0.05, 0.045, 0.055), "0.030, of real"),
        (Estimate(0.05, 0.049, 0.051), Estimate(0.03, 0.025, 0.035), "noisy"),
        # Of smooth images.
        (Estimate(3e-4, 2.9e-4, 3.1e-4), Estimate(4.5e-4, 4e-4, 5e-4), "images 0.00045)"),
        # Near to the real images, though significantly different.
        (Estimate(0.04, 0.039, 0.041), Estimate(0.05, 0.049, 0.051), ""),
        (Estimate(0.05, 0.049, 0.051), Estimate(0.04, 0.039, 0.041), ""),
        # Far from them, though not significantly.
        (Estimate(0.03, 0.029, 0.031), Estimate(0.05, 0.030, 0.07), ""),
        # One image, and none.
        (Estimate(0.03, 0.029, 0.031), Estimate(0.05, math.nan, math.nan), ""),
        (Estimate.none(), Estimate(0.05, 0.04, 0.06), ""),
    ],
)
def test_fault_is_large_and_significant(images: Estimate, real: Estimate, word: str) -> None:
    fault = fault_of_variation(images, real)
    assert bool(fault) == bool(word)
    assert word in fault

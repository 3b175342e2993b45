from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch

from borderline.measures.plots import (
    PROBABILITY_COLOURS,
    as_picture,
    draw_image_grid,
    framed_grid,
)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_rgb_between_0_and_1(channels: int) -> None:
    picture = as_picture(torch.linspace(-1.2, 1.2, 2 * channels * 16).view(2, channels, 4, 4))
    assert picture.shape == (2, 4, 4, 3)
    assert (picture.min(), picture.max()) == (0, 1)


def test_frames_have_the_colour_of_p_and_images_are_inside() -> None:
    grid = framed_grid(-torch.ones(3, 1, 28, 28), torch.tensor([0.0, 0.5, 1.0]), columns=2)
    side = 56 + 2 * 6
    corners = [grid[0, 0], grid[0, side + 4], grid[side + 4, 0]]
    for corner, p in zip(corners, (0.0, 0.5, 1.0), strict=True):
        assert np.allclose(corner, PROBABILITY_COLOURS(p)[:3])
    assert np.allclose(grid[10, 10], 0)
    assert np.allclose(grid[-1, -1], 1), "an empty place is white"


@pytest.mark.parametrize("count", [0, 1, 70])
@pytest.mark.parametrize("framed", [True, False])
def test_any_number_of_images_can_be_drawn(count: int, framed: bool) -> None:
    images = torch.zeros(count, 3, 9, 9)
    figure = draw_image_grid(images, torch.full((count,), 0.5) if framed else None, "title")
    figure.savefig(BytesIO())

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from borderline.measures.plots import (
    CLUSTER_COLOURS,
    PROBABILITY_COLOURS,
    as_data_uris,
    as_picture,
    cell_of,
    cluster_colour,
    cluster_marker,
    draw_by_tenths,
    draw_image_grid,
    framed_grid,
    overlay,
    scale_of,
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


@pytest.mark.parametrize("size", [(16, 40), (40, 16), (8, 128), (70, 60)])
def test_images_in_a_grid_keep_their_proportions(size: tuple[int, int]) -> None:
    p = torch.tensor([0.0, 0.5, 1.0])
    grid = framed_grid(-torch.ones(3, 1, *size), p, columns=2)
    black = (grid == 0).all(-1)
    down, across = black.any(1).sum() / 2, black.any(0).sum() / 2
    assert across / down == pytest.approx(size[1] / size[0])
    assert black.sum() == 3 * down * across, "no image covers another one"
    assert black.any(1)[:6].sum() == black.any(0)[:6].sum() == 0, "a frame surrounds each"


@pytest.mark.parametrize("size", [(9, 9), (16, 40), (40, 16), (8, 4096), (600, 8)])
def test_cells_have_the_proportions_of_images_in_limits(size: tuple[int, int]) -> None:
    wide, high = cell_of(torch.zeros(1, 1, *size))
    assert 0.5 <= min(wide, high) <= max(wide, high) <= 4
    if max(size) <= 4 * min(size):
        assert wide / high == pytest.approx(size[1] / size[0])
        assert wide * high == pytest.approx(1)


@pytest.mark.parametrize("count", [0, 1, 70])
@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("size", [(9, 9), (9, 30), (30, 9)])
def test_any_number_of_images_can_be_drawn(count: int, framed: bool, size: tuple[int, int]) -> None:
    images = torch.zeros(count, 3, *size)
    figure = draw_image_grid(images, torch.full((count,), 0.5) if framed else None, "title")
    figure.savefig(BytesIO())


@pytest.mark.parametrize("channels", [1, 3])
def test_picture_in_a_page_is_the_image(channels: int) -> None:
    images = torch.rand(2, channels, 5, 5) * 2 - 1
    for image, address in zip(images, as_data_uris(images), strict=True):
        head, _, content = address.partition(",")
        assert head == "data:image/png;base64"
        picture = np.array(Image.open(BytesIO(base64.b64decode(content)))).reshape(5, 5, channels)
        assert np.abs(picture / 127.5 - 1 - image.movedim(0, -1).numpy()).max() < 1 / 127
    assert as_data_uris(images[:0]) == []


def test_overlay_is_red_up_blue_down_and_pale_without_push() -> None:
    picture = np.zeros((1, 3, 3))
    up, down, none = overlay(picture, np.array([[1.0, -1.0, 0.0]]))[0]
    assert up[0] > up[2]
    assert down[2] > down[0]
    assert np.allclose(none, 1)


def test_scale_is_common_and_never_nothing() -> None:
    assert scale_of(torch.zeros(2, 3, 3)) == 1
    assert scale_of(torch.tensor([[[-2.0]], [[1.0]]])) == pytest.approx(2, rel=0.01)


def test_clusters_look_different() -> None:
    looks = [(cluster_colour(c), cluster_marker(c)) for c in range(4 * CLUSTER_COLOURS)]
    assert len(set(looks)) == len(looks)


def test_sorted_grid_has_a_column_for_each_tenth_of_p() -> None:
    p = torch.tensor([0.93, 0.05, 1.0, 0.92, 0.3, 0.0])
    axes = draw_by_tenths(-torch.ones(6, 1, 28, 28), p, "title").axes[0]
    assert [text.get_text() for text in axes.texts] == ["2", *"0010000", "0", "3"]
    grid, side = np.asarray(axes.images[0].get_array()), 56 + 2 * 6 + 4
    assert grid.shape[:2] == (3 * side - 4, 10 * side - 4)
    frames = grid[::side, ::side]
    expected = np.ones((3, 10, 3))
    for column, values in {0: [0.0, 0.05], 3: [0.3], 9: [0.92, 0.93, 1.0]}.items():
        expected[: len(values), column] = PROBABILITY_COLOURS(values)[:, :3]
    assert np.allclose(frames, expected, atol=0.01)


def test_long_column_of_a_sorted_grid_shows_some_images_evenly_spread() -> None:
    p = torch.linspace(0.5, 0.59, 39)
    axes = draw_by_tenths(-torch.ones(39, 1, 56, 56), p, "title").axes[0]
    assert axes.texts[5].get_text() == "39"
    frames = np.asarray(axes.images[0].get_array())[::72, 5 * 72]
    assert np.allclose(frames, PROBABILITY_COLOURS(p[::2].numpy())[:, :3])

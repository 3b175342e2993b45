"""Properties of shapes with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.draw import disk
from torch import Tensor

from borderline.measures.image_properties import SHAPE, has_ground, image_properties

SIDE = 32


def drawing(*marks: object, gaps: list[object] | None = None) -> Tensor:
    """White marks on black, and then black gaps in them, (1, 1, 32, 32)."""
    image = -np.ones((SIDE, SIDE), dtype=np.float32)
    for mark in marks:
        image[mark] = 1  # type: ignore[index]
    for gap in gaps or []:
        image[gap] = -1  # type: ignore[index]
    return torch.from_numpy(image)[None, None]


def bar(width: int, lean: float = 0.0) -> Tensor:
    """An upright bar 20 pixels high; ``lean`` moves its upper end to the right, in pixels."""
    rows = np.arange(6, 26)
    left = 14 + np.round(lean * (0.5 - (rows - 6) / 19)).astype(int)
    return drawing(
        *((row, slice(start, start + width)) for row, start in zip(rows, left, strict=True))
    )


def ring(row: int, outer: float = 6, inner: float = 3, column: int = 16) -> Tensor:
    return drawing(disk((row, column), outer), gaps=[disk((row, column), inner)])


def one(image: Tensor, ground: bool = True) -> dict[str, float]:
    return image_properties(image, ground).iloc[0].to_dict()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7])
def test_thickness_of_a_stroke_is_its_width_in_pixels(width: int) -> None:
    assert one(bar(width))["thickness"] == pytest.approx(width, rel=0.1)
    assert one(bar(width))["aspect"] == pytest.approx(width / 20)


@pytest.mark.parametrize("lean", [-10, -4, 0, 4, 10])
def test_slant_is_the_angle_of_a_bar_and_positive_to_the_right(lean: float) -> None:
    angle = np.degrees(np.arctan(lean / 19))
    assert one(bar(3, lean))["slant"] == pytest.approx(angle, abs=1.5)


def test_mirrored_image_leans_to_the_other_side_and_keeps_the_rest() -> None:
    image = bar(4, 8)
    first, mirrored = one(image), one(image.flip(-1))
    assert mirrored.pop("slant") == pytest.approx(-first.pop("slant"))
    # Of two middle pixels, the skeleton takes the left one.
    assert mirrored.pop("thickness") == pytest.approx(first.pop("thickness"), rel=0.1)
    assert mirrored == pytest.approx(first)


def test_holes_are_counted_and_specks_and_tiny_gaps_are_not() -> None:
    two = torch.maximum(ring(9), ring(22))
    tiny, speck = ring(9).clone(), ring(9).clone()
    tiny[..., 9, 21] = -1  # a gap of one pixel in the ring
    speck[..., 28, 28] = 1
    images = torch.cat([bar(4), ring(9), two, tiny, speck])
    assert image_properties(images, True)["holes"].tolist() == [0, 1, 2, 1, 1]
    assert one(speck)["aspect"] == one(ring(9))["aspect"] == 1


def test_figure_may_consist_of_dots() -> None:
    dots = drawing((slice(4, 28, 4), slice(4, 28, 4)))
    assert one(dots)["thickness"] == 1
    assert one(dots)["aspect"] == 1
    assert one(dots)["holes"] == 0


def test_symmetry_is_that_of_the_figure_wherever_it_is() -> None:
    aside = one(ring(20, column=9))
    assert aside["symmetry"] == pytest.approx(1)
    assert one(bar(3, 10))["symmetry"] < 0.3
    assert one(ring(20, column=9), ground=False)["symmetry"] < 0, "of the whole photograph"


def test_border_decides_what_is_ground() -> None:
    white_on_black = torch.cat([bar(3, 6), ring(16)])
    expected = image_properties(white_on_black, True)
    black_on_white = image_properties(-white_on_black, True)
    assert np.allclose(expected, black_on_white)
    on_grey = image_properties(white_on_black / 2, True)
    assert np.allclose(expected[[*SHAPE]], on_grey[[*SHAPE]])
    assert np.allclose(on_grey["contrast"], 0.5)
    assert np.allclose(expected["contrast"], 1)
    # A figure that touches the border is still the figure.
    touching = drawing((slice(None), slice(10, 20)))
    assert one(touching)["aspect"] == pytest.approx(10 / SIDE)
    assert one(touching)["ink"] == pytest.approx(10 / SIDE)


def test_photographs_have_brightness_and_no_ink() -> None:
    scene = torch.linspace(-1, 1, SIDE).expand(4, 1, SIDE, SIDE)
    assert not has_ground(scene)
    assert has_ground(torch.cat([bar(3), ring(16), scene[:1]])), "most images decide"
    assert list(image_properties(scene, False)) == [
        *("brightness", "contrast", "symmetry", "sharpness"),
    ]
    assert one(scene, ground=False)["brightness"] == pytest.approx(0.5)
    assert one(scene, ground=False)["symmetry"] == pytest.approx(-1)


def test_colour_images_are_bright_and_colourful() -> None:
    grey = bar(3, 6).expand(1, 3, SIDE, SIDE)
    red = grey.clone()
    red[:, 1:] = -1
    images = torch.cat([grey, red])
    table = image_properties(images, True)
    assert "ink" not in table
    assert table["colourfulness"][0] == 0 < table["colourfulness"][1]
    assert table["brightness"][0] > table["brightness"][1]
    assert table["slant"][0] == pytest.approx(table["slant"][1]), "the ground is plain here too"
    assert "slant" not in image_properties(images, False)


def test_blur_lowers_sharpness_and_thickness_does_not() -> None:
    thin, thick = one(bar(3, 6)), one(bar(7, 6))
    soft = torch.nn.functional.avg_pool2d(
        bar(3, 6), 3, stride=1, padding=1, count_include_pad=False
    )
    assert one(soft)["sharpness"] < 0.8 * thin["sharpness"]
    assert thick["sharpness"] == pytest.approx(thin["sharpness"], rel=0.1)
    assert one(bar(3, 6) * 0.4 - 0.6)["sharpness"] == pytest.approx(thin["sharpness"]), "when faint"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ground", [True, False])
def test_blank_images_and_noise_have_nan_and_no_error(channels: int, ground: bool) -> None:
    images = torch.zeros(3, channels, 16, 16)
    images[1] = 2 * torch.rand(channels, 16, 16) - 1
    images[2, :, 5, 5] = 1  # a single pixel
    table = image_properties(images, ground)
    assert table.loc[0, ["symmetry", "sharpness"]].isna().all()
    assert table.loc[1, "sharpness"] > 0
    if ground:
        assert table.loc[:1, [*SHAPE]].isna().all(axis=None)
        assert table.loc[2, ["thickness", "aspect", "holes"]].tolist() == [1, 1, 0]
    assert len(image_properties(images[:0], ground)) == 0

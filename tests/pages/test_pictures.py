from __future__ import annotations

from io import BytesIO

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from borderline.measures.plots import PROBABILITY_COLOURS
from borderline.pages.pictures import of_file, pictures


def test_every_picture_has_a_text_and_the_colour_of_its_p() -> None:
    shown = pictures(torch.zeros(2, 1, 8, 8), torch.tensor([0.0, 0.5]), "Image {number}, {p}")
    assert [picture["alt"] for picture in shown] == ["Image 1, p = 0.00", "Image 2, p = 0.50"]
    assert shown[1]["colour"] == to_hex(PROBABILITY_COLOURS(0.5))
    assert all(picture["src"].startswith("data:image/png;base64,") for picture in shown)


def test_picture_without_p_has_no_colour() -> None:
    (shown,) = pictures(torch.zeros(1, 3, 8, 8), None, "Prototype {number}", first=0)
    assert shown["alt"] == "Prototype 0"
    assert "colour" not in shown


def test_pictures_that_are_not_square_have_the_area_of_a_square() -> None:
    for height, width in ((16, 40), (40, 16)):
        (shown,) = pictures(torch.zeros(1, 3, height, width), None, "Image {number}")
        stretch = float(shown["stretch"])
        assert stretch * stretch == pytest.approx(width / height, rel=1e-3)
    assert "stretch" not in pictures(torch.zeros(1, 1, 8, 8), None, "Image {number}")[0]


@pytest.mark.parametrize("name", ["{a}", "a}b", "{0}"])
def test_class_may_have_braces_in_its_name(name: str) -> None:
    (shown,) = pictures(torch.zeros(1, 1, 8, 8), None, f"Image {{number}} of {name}")
    assert shown["alt"] == f"Image 1 of {name}"


@pytest.mark.parametrize(("size", "wide"), [((8, 2), True), ((4, 4), False)])
def test_wide_pictures_are_known(size: tuple[int, int], wide: bool) -> None:
    content = BytesIO()
    Figure(figsize=size).savefig(content)
    assert of_file(content.getvalue(), "words")["wide"] == wide

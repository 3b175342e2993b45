"""Rows of pixels have no height and width: those of the images decide."""

from __future__ import annotations

import pytest

from borderline.errors import BorderlineError
from borderline.imported.declared import (
    check_declared,
    declared_for,
    settings_of_shape,
    settings_to_try,
)
from conftest import contract_of


@pytest.mark.parametrize("image_shape", [(1, 10, 40), (1, 20, 20), (1, 40, 10)])
def test_rows_with_the_values_of_an_image_are_that_image(image_shape: tuple[int, ...]) -> None:
    shape = (None, 400)
    declared = declared_for(shape, settings_of_shape(shape), image_shape)
    assert settings_to_try(shape, declared, image_shape) == [{"layout": "flat_nchw"}]
    for layout in ("flat_nchw", "flat_nhwc"):
        check_declared(shape, settings_of_shape(shape), contract_of(layout=layout), image_shape)


def test_rows_of_colour_images_leave_the_order_open() -> None:
    shape, image_shape = (None, 3 * 12 * 16), (3, 12, 16)
    # As many values as a grey square of 24 pixels.
    declared = declared_for(shape, settings_of_shape(shape), image_shape)
    tried = settings_to_try(shape, declared, image_shape)
    assert tried == [{"layout": "flat_nhwc"}, {"layout": "flat_nchw"}]


def test_rows_of_other_images_are_those_of_a_square() -> None:
    shape, image_shape = (None, 400), (1, 28, 28)
    declared = declared_for(shape, settings_of_shape(shape), image_shape)
    (tried,) = settings_to_try(shape, declared, image_shape)
    assert tried == {"layout": "flat_nchw", "size": 20, "fit": True}
    with pytest.raises(BorderlineError, match=r"input.size is None, .* 20x20 .* set it to 20"):
        check_declared(shape, declared, contract_of(layout="flat_nchw"), image_shape)

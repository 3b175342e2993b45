from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch

from borderline.params import RunParams
from borderline.pipelines.prototypes.figures import blend, draw_map, draw_prototypes
from borderline.pipelines.prototypes.maps import umap_2d


@pytest.mark.parametrize("count", [0, 1, 8, 11])
def test_any_number_of_prototypes_can_be_drawn(count: int) -> None:
    figure = draw_prototypes(
        torch.zeros(count, 3, 9, 9),
        torch.full((count,), 0.5),
        torch.randn(count, 9, 9),
        [4] * count,
        "too few images",
    )
    figure.savefig(BytesIO())
    text = " ".join(t.get_text() for ax in figure.axes for t in [ax.title])
    assert text.count("p = 0.50") == count
    assert ("too few images" in " ".join(t.get_text() for t in figure.texts)) == (count == 0)


def test_blend_is_red_up_blue_down_and_pale_without_push() -> None:
    picture = np.zeros((1, 3, 3))
    up, down, none = blend(picture, np.array([[1.0, -1.0, 0.0]]))[0]
    assert up[0] > up[2]
    assert down[2] > down[0]
    assert np.allclose(none, 1)


@pytest.mark.parametrize("images", [0, 15])
def test_map_is_fitted_on_the_test_set_and_repeats(run: RunParams, images: int) -> None:
    random = torch.Generator().manual_seed(0)
    test = torch.rand(30, 5, generator=random)
    other = torch.rand(images, 5, generator=random)
    first = umap_2d(test, other, 50, seed=0)
    assert [m.shape for m in first] == [(30, 2), (images, 2)]
    for one, two in zip(first, umap_2d(test, other, 50, seed=0), strict=True):
        assert np.array_equal(one, two)
    alone, _ = umap_2d(test, torch.zeros(0, 5), 50, seed=0)
    assert np.array_equal(first[0], alone)
    labels = np.arange(images) % 3
    prototypes = np.arange(min(images, 3))
    draw_map(first[0], np.arange(30) % 2, first[1], labels, prototypes).savefig(BytesIO())

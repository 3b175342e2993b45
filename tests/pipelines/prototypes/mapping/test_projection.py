from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch

from borderline.pipelines.prototypes.mapping.figures import (
    MapImages,
    draw_interactive_map,
    draw_maps,
)
from borderline.pipelines.prototypes.mapping.projection import tsne_2d, umap_2d


@pytest.mark.parametrize("images", [0, 15])
def test_map_is_fitted_on_the_test_set_and_repeats(images: int) -> None:
    random = np.random.default_rng(0)
    test, other = random.random((30, 5)), random.random((images, 5))
    first = umap_2d(test, other, 50, seed=0)
    assert [m.shape for m in first] == [(30, 2), (images, 2)]
    for one, two in zip(first, umap_2d(test, other, 50, seed=0), strict=True):
        assert np.array_equal(one, two)
    alone, _ = umap_2d(test, np.zeros((0, 5)), 50, seed=0)
    assert np.array_equal(first[0], alone)


@pytest.mark.parametrize("images", [0, 2, 15])
def test_tsne_places_both_together_and_repeats(images: int) -> None:
    random = np.random.default_rng(0)
    test, other = random.random((20, 5)), random.random((images, 5))
    first = tsne_2d(test, other, 30, seed=0)
    assert [m.shape for m in first] == [(20, 2), (images, 2)]
    assert np.array_equal(first[0], tsne_2d(test, other, 30, seed=0)[0])


def test_embedding_of_one_number_can_be_mapped() -> None:
    random = np.random.default_rng(0)
    assert tsne_2d(random.random((9, 1)), random.random((5, 1)), 3, seed=0)[1].shape == (5, 2)


def map_images(count: int, labels: list[int], channels: int = 1) -> MapImages:
    random = np.random.default_rng(0)
    places = {kind: random.random((count, 2)) for kind in ("umap", "tsne")}
    images = torch.rand(count, channels, 4, 4)
    return MapImages(images, random.random(count), np.resize(labels, count), places)


@pytest.mark.parametrize(
    ("borderline", "labels", "prototypes", "real"),
    [
        (0, [0], [], []),
        (9, [-1], [], [3]),
        (9, [0, 1, -1], [0, 1], [0, 5]),
        (40, list(range(20)), list(range(20)), []),
    ],
)
def test_any_number_of_clusters_can_be_mapped(
    borderline: int, labels: list[int], prototypes: list[int], real: list[int]
) -> None:
    test, drawn = map_images(6, [0, 1]), map_images(borderline, labels)
    rows, stars = (np.array(some, dtype=int) for some in (prototypes, real))
    draw_maps(test, drawn, rows, stars).savefig(BytesIO())
    page = draw_interactive_map(test, drawn, rows, stars)
    assert len(page.layout.meta["pictures"]) == 6 + borderline
    names = [trace.name for trace in page.data]
    clusters = len(set(np.resize(labels, borderline).tolist()))
    assert len(names) == 2 * (2 + clusters + 1 + bool(real))


def test_page_shows_one_map_at_a_time_and_each_image_under_the_pointer() -> None:
    test, drawn = map_images(6, [0, 1]), map_images(9, [0, 1, 2])
    page = draw_interactive_map(test, drawn, np.array([4, 0]), np.array([1, 5]))
    half = len(page.data) // 2
    assert [trace.visible for trace in page.data] == [None] * half + [False] * half
    shown = [button.args[0]["visible"] for button in page.layout.updatemenus[0].buttons]
    assert shown == [[True] * half + [False] * half, [False] * half + [True] * half]
    numbers = page.data[half - 1]
    assert numbers.text == ("0", "1")
    assert [point[0] for point in numbers.customdata] == [6 + 4, 6 + 0]
    assert numbers.customdata[0][1] == f"p = {drawn.p[4]:.2f}"
    stars = page.data[half - 2]
    assert (stars.name, stars.marker.symbol) == ("random real borderline", "star")
    assert [point[0] for point in stars.customdata] == [1, 5], "they are test images"
    negatives = page.data[0]
    assert [point[0] for point in negatives.customdata] == [0, 2, 4]


@pytest.mark.parametrize("place", [umap_2d, tsne_2d])
@pytest.mark.parametrize("value", [0, 1, 1e-30])
def test_images_that_are_not_told_apart_lie_at_one_place(place: Any, value: float) -> None:
    alike = np.full((12, 3), value, dtype=np.float32)
    maps = place(alike, alike[:4], 5, seed=0)
    assert [places.shape for places in maps] == [(12, 2), (4, 2)]
    assert not any(places.any() for places in maps)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_embeddings_are_mapped(scale: float) -> None:
    points = np.random.default_rng(0).random((16, 4)).astype(np.float32) * np.float32(scale)
    places = np.concatenate(tsne_2d(points[:10], points[10:], 5, seed=0))
    assert np.isfinite(places).all()
    assert np.ptp(places) > 1

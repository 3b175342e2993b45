from __future__ import annotations

import html
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch

from borderline.measures.class_names import ClassNames
from borderline.pipelines.prototypes.mapping.figures import (
    MapImages,
    Words,
    draw_interactive_map,
    draw_maps,
)
from borderline.pipelines.prototypes.mapping.projection import tsne_2d, umap_2d
from odd_names import ODD_NAMES, shows, texts_outside

WORDS = Words(ClassNames("1", "7"))


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
    draw_maps(test, drawn, rows, stars, WORDS).savefig(BytesIO())
    page = draw_interactive_map(test, drawn, rows, stars, WORDS)
    assert len(page.layout.meta["pictures"]) == 6 + borderline
    names = [trace.name for trace in page.data]
    clusters = len(set(np.resize(labels, borderline).tolist()))
    assert len(names) == 2 * (2 + clusters + 1 + bool(real))


def test_page_shows_one_map_at_a_time_and_each_image_under_the_pointer() -> None:
    test, drawn = map_images(6, [0, 1]), map_images(9, [0, 1, 2])
    page = draw_interactive_map(test, drawn, np.array([4, 0]), np.array([1, 5]), WORDS)
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


def test_switch_colours_the_images_by_p_and_back() -> None:
    test, drawn = map_images(6, [0, 1]), map_images(9, [0, 1, 2])
    page = draw_interactive_map(test, drawn, np.array([4, 0]), np.array([1, 5]), WORDS)
    groups, by_p = (button.args for button in page.layout.updatemenus[1].buttons)
    assert groups[1] == {"coloraxis.showscale": False}
    assert by_p[1] == {"coloraxis.showscale": True}
    assert len(groups[0]["marker"]) == len(by_p[0]["marker"]) == len(page.data)
    for trace, former, marker in zip(
        page.data, groups[0]["marker"], by_p[0]["marker"], strict=True
    ):
        assert former == trace.marker.to_plotly_json()
        if trace.name in ("prototypes", "random real borderline"):
            assert marker == former
        else:
            images = test if "test set" in trace.name else drawn
            rows = [number - 6 * (images is drawn) for number, *_ in trace.customdata]
            assert marker["color"] == pytest.approx(images.p[rows], abs=5e-4)
    scale = page.layout.coloraxis
    assert (scale.cmin, scale.cmax, scale.showscale) == (0, 1, False)
    assert (scale.colorscale[0][1], scale.colorscale[-1][1]) == ("#313695", "#a50026")


@pytest.mark.parametrize("place", [umap_2d, tsne_2d])
@pytest.mark.parametrize("value", [0, 1, 1e-30])
def test_images_that_are_not_told_apart_lie_at_one_place(place: Any, value: float) -> None:
    alike = np.full((12, 3), value, dtype=np.float32)
    maps = place(alike, alike[:4], 5, seed=0)
    assert [places.shape for places in maps] == [(12, 2), (4, 2)]
    assert not any(places.any() for places in maps)


@pytest.mark.parametrize("names", ODD_NAMES[1:])
def test_legends_show_the_names_of_the_classes(names: ClassNames) -> None:
    test, drawn = map_images(6, [0, 1]), map_images(4, [0, 1])
    nothing = np.zeros(0, dtype=int)
    figure = draw_maps(test, drawn, nothing, nothing, Words(names))
    assert texts_outside(figure) == []
    assert shows(figure, names)
    page = draw_interactive_map(test, drawn, nothing, nothing, Words(names))
    for trace, name in zip(page.data, names, strict=False):
        shown = html.unescape(trace.name.replace("<br>", ""))
        assert shown.replace(" ", "") == f"testset:{name}".replace(" ", "")
        assert "<b>" not in trace.name
        assert trace.hovertemplate == "%{customdata[1]}<extra>%{fullData.name}</extra>"


def test_maps_of_a_continuum_speak_of_exemplars() -> None:
    test, drawn = map_images(6, [0, 1]), map_images(4, [0, -1])
    words = Words(ClassNames("1", "7"), continuum=True)
    rows = np.array([0]), np.zeros(0, dtype=int)
    figure = draw_maps(test, drawn, *rows, words)
    title = (
        "generated borderline images by nearest exemplar (coloured markers), exemplars (numbers)"
    )
    assert title in figure.get_suptitle()
    names = [trace.name for trace in draw_interactive_map(test, drawn, *rows, words).data]
    assert names[:5] == ["test set: 1", "test set: 7", "no exemplar", "exemplar 0", "exemplars"]


def test_map_with_one_place_says_that_the_images_are_not_told_apart() -> None:
    test, drawn = map_images(6, [0, 1]), map_images(4, [0])
    for images in (test, drawn):
        images.places["tsne"] = np.zeros((len(images.images), 2))
    nothing = np.zeros(0, dtype=int)
    figure = draw_maps(test, drawn, nothing, nothing, WORDS)
    titles = [axes.get_title() for axes in figure.axes[:2]]
    assert titles[0] == "UMAP, fitted on the test set"
    assert titles[1] == "t-SNE, fitted on both: the model does not tell these images apart"

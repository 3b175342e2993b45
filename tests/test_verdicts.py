from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import pairwise_distances

from borderline.committee import Committee
from borderline.measures.distances import measure_distances
from borderline.records import HeldOut, Opinions
from borderline.verdicts.params import VerdictsParams
from borderline.verdicts.rule import COLUMNS, Limits, decide, opinion_on_pair, why_foreign
from planted import THRESHOLDS

COMMITTEE = Committee(
    members=(torch.nn.Identity(),), classes=("one", "seven", "other"), positive=1, negative=0
)


def held_out(images: int = 100) -> HeldOut:
    """Real images at distances of 0.01 to 1 in pixels, and of 0.02 to 2 in features."""
    steps = torch.arange(1, images + 1) / images
    return {
        "pixel_nearest": steps,
        "pixel_neighbour": steps,
        "feature_nearest": 2 * steps,
        "feature_neighbour": 2 * steps,
        "train_features": torch.zeros(3, 2),
    }


def opinions(q: list[tuple[float, float, float]], **changed: float) -> Opinions:
    """Opinions (one, seven, other) on images as far from the real ones as real ones are."""
    distances = {
        "pixel_nearest": 0.5,
        "pixel_neighbour": 0.5,
        "feature_nearest": 1.0,
        "feature_neighbour": 1.0,
        **changed,
    }
    values: Any = {name: torch.full((len(q),), value) for name, value in distances.items()}
    return {**values, "probabilities": torch.tensor(q), "disagreement": torch.zeros(len(q))}


def verdict(q: tuple[float, float, float], **changed: float) -> str:
    table = decide(opinions([q], **changed), held_out(), COMMITTEE, THRESHOLDS)
    return str(table["verdict"][0])


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ((0.95, 0.03, 0.02), "weakness"),
        ((0.03, 0.95, 0.02), "weakness"),
        ((0.5, 0.4, 0.1), "ambiguous"),
        ((0.3, 0.3, 0.4), "ambiguous"),
        ((0.2, 0.2, 0.6), "another_class"),
        ((0.85, 0.1, 0.05), "undecided"),
        ((0.6, 0.2, 0.2), "undecided"),
    ],
)
def test_opinion_decides_for_an_image_that_is_like_real_ones(
    q: tuple[float, float, float], expected: str
) -> None:
    assert verdict(q) == expected


def test_image_that_is_far_in_features_or_in_pixels_is_unrealistic() -> None:
    sure = (0.95, 0.03, 0.02)
    assert verdict(sure, feature_neighbour=2.5) == "unrealistic"
    assert verdict(sure, pixel_neighbour=1.5) == "unrealistic"
    assert verdict(sure, pixel_neighbour=0.95, feature_neighbour=1.9) == "weakness"


def test_only_an_image_that_is_near_in_features_and_in_pixels_is_memorised() -> None:
    sure = (0.95, 0.03, 0.02)
    assert verdict(sure, feature_nearest=0.0, pixel_nearest=0.0) == "memorised"
    assert verdict(sure, feature_nearest=0.0) == "weakness"
    assert verdict(sure, pixel_nearest=0.0) == "weakness"
    # A copy of an image that lies far from all others is a copy.
    far = {"feature_nearest": 0.0, "pixel_nearest": 0.0, "feature_neighbour": 9.0}
    assert verdict(sure, **far) == "memorised"


def test_limits_are_quantiles_of_the_held_out_images() -> None:
    limits = Limits.of(held_out(), THRESHOLDS)
    assert (
        limits.feature_far == pytest.approx(2 * limits.pixel_far) == pytest.approx(1.98, abs=0.01)
    )
    assert (
        limits.feature_near == pytest.approx(2 * limits.pixel_near) == pytest.approx(0.04, abs=0.01)
    )


def test_thresholds_are_settings() -> None:
    one, seven = np.array([0.7, 0.55, 0.2]), np.array([0.1, 0.4, 0.15])
    assert list(opinion_on_pair(seven, one, THRESHOLDS)) == [
        *("undecided", "ambiguous", "another_class")
    ]
    other = THRESHOLDS.model_copy(update={"sure": 0.7, "split": 0.45, "beside": 0.8})
    assert list(opinion_on_pair(seven, one, other)) == ["weakness", "undecided", "undecided"]
    with pytest.raises(ValueError, match="must add up to more than 1"):
        VerdictsParams.model_validate(THRESHOLDS.model_dump() | {"sure": 0.6})


def test_table_has_the_numbers_behind_each_verdict() -> None:
    table = decide(opinions([(0.3, 0.3, 0.4)]), held_out(), COMMITTEE, THRESHOLDS)
    assert tuple(table) == COLUMNS
    row = table.iloc[0]
    assert (row["positive"], row["negative"]) == pytest.approx((0.3, 0.3))
    assert (row["beside"], row["top_class"]) == (pytest.approx(0.4), "other")
    assert row["feature_nearest"] == 1


def test_without_an_opinion_only_distances_decide() -> None:
    of_images = opinions([(0.95, 0.03, 0.02)] * 2)
    del of_images["probabilities"], of_images["disagreement"]
    of_images["pixel_neighbour"] = torch.tensor([0.5, 9.0])
    nobody = Committee(members=(), classes=(), positive=1, negative=0)
    table = decide(of_images, held_out(), nobody, THRESHOLDS)
    assert table["verdict"].tolist() == ["undecided", "unrealistic"]
    assert table["positive"].isna().all()


def test_images_of_another_class_and_unlike_images_are_foreign() -> None:
    of_images = opinions([(0.6, 0.3, 0.1), (0.1, 0.2, 0.7), (0.1, 0.2, 0.7), (0.9, 0.1, 0.0)])
    # The second is a copy of a training image, which may be of any class.
    of_images["pixel_nearest"] = torch.tensor([0.5, 0.0, 0.5, 0.5])
    of_images["feature_nearest"] = torch.tensor([1.0, 0.0, 1.0, 1.0])
    of_images["pixel_neighbour"] = torch.tensor([0.5, 0.5, 0.5, 1.5])
    none, copy, other, far = why_foreign(of_images, held_out(), COMMITTEE, THRESHOLDS)
    assert none == ""
    assert copy == other
    assert other == (
        "the committee gives the other classes a probability of 0.70, most of it to other"
    )
    assert far == "farther from the training images of the pair than 99 % of its test images"
    del of_images["probabilities"]
    reasons = why_foreign(of_images, held_out(), COMMITTEE, THRESHOLDS)
    assert reasons == ["", "", "", far]


def test_no_images_have_no_verdicts() -> None:
    empty: Any = {name: tensor[:0] for name, tensor in opinions([(0.3, 0.3, 0.4)]).items()}
    assert decide(empty, held_out(), COMMITTEE, THRESHOLDS).empty


def test_distances_are_those_of_all_pairs() -> None:
    images, train = torch.rand(30, 1, 8, 8), torch.rand(50, 1, 8, 8)
    features, train_features = torch.rand(30, 5), torch.rand(50, 5)
    distances = measure_distances(images, features, train, train_features, 3)
    pixels = np.sort(pairwise_distances(images.flatten(1), train.flatten(1)), 1)
    of_features = np.sort(pairwise_distances(features, train_features), 1)
    for name, expected in (
        ("pixel_nearest", pixels[:, 0]),
        ("pixel_neighbour", pixels[:, 2]),
        ("feature_nearest", of_features[:, 0]),
        ("feature_neighbour", of_features[:, 2]),
    ):
        np.testing.assert_allclose(distances[name], expected, rtol=1e-5)  # type: ignore[literal-required]
    none = measure_distances(images[:0], features[:0], train, train_features, 3)
    assert all(len(values) == 0 for values in none.values())

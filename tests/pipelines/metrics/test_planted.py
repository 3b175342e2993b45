"""Verdicts on images whose verdict is known; the judges are small, and trained for few epochs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from torch import Tensor

from borderline.datasets import ImageSource
from borderline.pipelines.prototypes.usefulness.verdicts import share_verdicts
from planted import World, measure, planted, world_of


@pytest.fixture(scope="module")
def world() -> World:
    source = ImageSource(kind="mnist_sample").load()
    return world_of(source, 7, 1, epochs=3, batch_size=128, learning_rate=2e-3)


@pytest.fixture(scope="module")
def images(world: World) -> dict[str, Tensor]:
    return planted(world, 100)


@pytest.fixture(scope="module")
def shares(world: World, images: dict[str, Tensor]) -> pd.DataFrame:
    return measure(world, images)[0]


def test_model_that_never_saw_slanted_sevens_is_weak_there(shares: pd.DataFrame) -> None:
    assert shares.loc["slanted", "weakness"] > 0.6


def test_blends_of_two_confident_images_are_no_weakness(shares: pd.DataFrame) -> None:
    assert shares.loc["blends", "weakness"] < 0.05
    assert shares.loc["blends", ["ambiguous", "unrealistic", "undecided"]].sum() > 0.9


def test_noise_is_unrealistic(shares: pd.DataFrame) -> None:
    assert shares.loc["noise", "unrealistic"] > 0.99


def test_training_images_are_memorised(shares: pd.DataFrame) -> None:
    assert shares.loc["copies", "memorised"] > 0.99


def test_images_of_a_third_class_are_of_another_class(shares: pd.DataFrame) -> None:
    assert shares.loc["third class", "another_class"] > 0.75


def test_real_test_images_are_neither_copies_nor_unrealistic(world: World) -> None:
    verdicts = world.verdicts(world.test["images"])["verdict"]
    assert (verdicts == "memorised").mean() <= 0.01
    assert (verdicts == "unrealistic").mean() <= 0.02


def test_verdict_of_each_planted_pattern_prevails(world: World, images: dict[str, Tensor]) -> None:
    verdicts = [world.verdicts(x)["verdict"].to_numpy(dtype=str) for x in images.values()]
    labels = np.repeat(range(len(images)), list(map(len, verdicts)))
    table = share_verdicts(np.concatenate(verdicts), labels, len(images))
    prevailing = table[table["prevails"]].set_index("cluster")["verdict"]
    found = {kind: prevailing.get(str(i)) for i, kind in enumerate(images)}
    assert found.pop("blends") != "weakness"
    assert found == {
        "slanted": "weakness",
        "noise": "unrealistic",
        "copies": "memorised",
        "third class": "another_class",
    }

"""Verdicts on images whose verdict is known; the judges are small, and trained for few epochs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from borderline.datasets import ImageSource
from borderline.measures.facility_location import joint
from borderline.measures.inference import embed
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.exemplars import ExemplarModel
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import Reduction
from borderline.pipelines.prototypes.usefulness.verdicts import share_verdicts
from conftest import clustering_params
from planted import CPU, World, measure, model_without_slanted, planted, world_of


@pytest.fixture(scope="module")
def world() -> World:
    source = ImageSource(kind="mnist_sample").load()
    return world_of(source, 7, 1, epochs=3, batch_size=128, learning_rate=2e-3)


@pytest.fixture(scope="module")
def weak(world: World) -> nn.Module:
    return model_without_slanted(world)


@pytest.fixture(scope="module")
def images(world: World, weak: nn.Module) -> dict[str, Tensor]:
    return planted(world, weak, 100)


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


def test_exemplars_of_a_weak_model_show_its_weakness_and_not_the_ambiguous(
    world: World, weak: nn.Module, images: dict[str, Tensor]
) -> None:
    shown = torch.cat([images["slanted"], images["blends"]])
    kinds = np.repeat(["slanted", "blends"], [len(images[k]) for k in ("slanted", "blends")])
    seen = [embed(net, shown, CPU).numpy() for net in (weak, world.committee.members[0])]
    recipe = Recipe(Reduction("none", {}), Clustering("kmeans", {"n_clusters": 2}))
    params = clustering_params(objective="reproducibility", clusterings=["kmeans"])
    vectors = joint(*seen)
    labels = ExemplarModel.of(recipe, params, seen[0], vectors, vectors).labels
    number = labels.max() + 1
    assert number > 2
    verdicts = world.verdicts(shown)["verdict"].to_numpy(dtype=str)
    table = share_verdicts(verdicts, labels, number)
    prevailing = table[table["prevails"]].set_index("cluster")["verdict"]
    slanted = [(kinds[labels == cluster] == "slanted").mean() for cluster in range(number)]
    weakness = [prevailing.get(str(cluster)) == "weakness" for cluster in range(number)]
    assert any(weakness)
    assert min(share for share, says in zip(slanted, weakness, strict=True) if says) > 0.7
    assert not any(says for share, says in zip(slanted, weakness, strict=True) if share < 0.3)
    assert np.array(weakness)[labels[kinds == "slanted"]].mean() > 0.5

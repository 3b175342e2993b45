"""Planted structures: clusters are found in the right number, noise and bent clouds are none."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from borderline.datasets import ImageSource
from borderline.measures.inference import embed
from borderline.params import RunParams
from borderline.pipelines.clustering.best_of_kind import cluster_all
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.pool import find_artefacts, groups_of
from borderline.pipelines.clustering.reductions import Reduction
from borderline.pipelines.clustering.reproducibility import (
    prediction_strength,
    shallowest_valley,
    strength_over_generators,
    strength_over_halves,
)
from borderline.pipelines.clustering.scores import Scorer
from conftest import blobs, clustering_params
from planted import world_of


def number_of_clusters(embeddings: np.ndarray, seed: int, most: int = 9) -> int:
    """The number that the objective chooses; 1 for a continuum."""
    params = clustering_params(
        objective="reproducibility",
        clusterings=["kmeans"],
        kmeans={"n_clusters": [2, most]},
        reproducibility={"splits": 2, "least": 0.8, "valley": 0.65, "artefact": 0.95},
    )
    run = RunParams(seed=seed, device="cpu")
    points = Reduction("pca", {"n_components": 15}).reduce(embeddings, None, seed, 0)
    space = Scorer(embeddings, params, run.seed_for("scored images")).in_space(points)
    best = cluster_all("kmeans", space, params, run)
    return len(best.clusters.order) if best.clusters is not None and best.objective > 1 else 1


def bent(seed: int, angle: float) -> np.ndarray:
    """A cloud along an arc of that angle, (400, 20)."""
    random = np.random.default_rng(seed)
    along = random.uniform(-angle / 2, angle / 2, 400)
    points = random.normal(0, 0.15, (400, 20))
    points[:, 0] += np.cos(along)
    points[:, 1] += np.sin(along)
    points[:, 2] += 2
    return points


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The embedded digits in the features of a judge, and their classes."""
    source = ImageSource(kind="mnist_sample").load()
    world = world_of(source, 7, 1, members=1, epochs=6, batch_size=128, learning_rate=2e-3)
    images = source.train["images"]
    features = embed(world.committee.members[0], images, torch.device("cpu"))
    return features.numpy(), source.train["labels"].numpy()


def test_strength_is_the_worst_share_of_pairs_that_stay_together() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    assert prediction_strength(labels, labels) == 1
    # Of the second cluster, 2 of 6 pairs stay together.
    assert prediction_strength(labels, np.array([0, 0, 0, 1, 1, 2, 2])) == pytest.approx(2 / 6)
    assert prediction_strength(np.array([0, 1, 1]), np.array([0, 1, 1])) == 0, "a cluster of one"


def test_valley_is_deep_between_blobs_and_flat_within_a_cloud() -> None:
    points, labels = blobs(100, 100)
    assert shallowest_valley(points.astype(np.float64), labels, 0) < 0.2
    cloud = np.random.default_rng(0).normal(size=(300, 5))
    assert shallowest_valley(cloud, (cloud[:, 0] > 0).astype(int), 0) > 0.8


def test_strength_over_generators_is_that_without_the_one_that_adds_most() -> None:
    points, labels = blobs(50, 50, 50)
    kmeans = Clustering("kmeans", {"n_clusters": 3})
    groups = {name: np.arange(150) % 3 == n for n, name in enumerate("abc")}
    points = points.astype(np.float64)
    assert strength_over_generators(points, labels, kmeans, groups, 0.95, 0) == 1
    assert np.isnan(strength_over_generators(points, labels, kmeans, {}, 0.95, 0))
    # Only "a" makes most of the third cluster: without it, two clusters are found in three parts.
    rows = np.where(labels == 2, 0, np.arange(150) % 3)
    rows[-6:] = 1
    groups = {name: rows == n for n, name in enumerate("abc")}
    assert find_artefacts(labels, groups, 0.8) == {2: "a"}
    assert find_artefacts(labels, groups, 0.99) == {}
    assert strength_over_generators(points, labels, kmeans, groups, 0.8, 0) == 1


def test_an_artefact_of_one_generator_is_left_out_with_its_gan_too() -> None:
    points, labels = blobs(50, 50, 50, 50)
    kmeans, generator = Clustering("kmeans", {"n_clusters": 4}), np.arange(200) % 4
    generator[labels == 3] = 2
    groups = {name: generator == n for n, name in enumerate("abcd")}
    groups |= {"GAN 1": generator < 2, "GAN 2": generator >= 2}
    assert find_artefacts(labels, groups, 0.95) == {3: "c"}
    found = strength_over_generators(points.astype(np.float64), labels, kmeans, groups, 0.95, 0)
    assert found == 1


def test_groups_are_generators_their_repetitions_and_gans() -> None:
    images = torch.zeros(3, 2)
    names = ("hybrid", "hybrid_run_2", "blends")
    groups = groups_of(
        {f"{name}.embeddings": images for name in names},
        {"hybrid": 1, "hybrid_run_2": 2, "blends": 0},
    )
    assert {name: rows.nonzero()[0].tolist() for name, rows in groups.items()} == {
        "blends": [0, 1, 2],
        "hybrid": [3, 4, 5],
        "hybrid_run_2": [6, 7, 8],
        "all repetitions of hybrid": [3, 4, 5, 6, 7, 8],
        "GAN 1": [3, 4, 5],
        "GAN 2": [6, 7, 8],
    }
    assert groups_of({"hybrid.embeddings": images}, {"hybrid": 1}) == {}


def test_a_network_that_is_trained_once_is_no_gan() -> None:
    names = ("flow", "flow_search", "gasten", "latent_search")
    groups = groups_of(
        {f"{name}.embeddings": torch.zeros(1, 2) for name in names},
        {"flow": -1, "flow_search": -1, "gasten": 1, "latent_search": 1},
    )
    of_several = {name: rows.tolist() for name, rows in groups.items() if name not in names}
    assert of_several == {
        "the network of flow and flow_search": [True, True, False, False],
        "GAN 1": [False, False, True, True],
    }


def test_few_images_of_one_generator_are_no_artefact() -> None:
    tiny = {"tiny": np.arange(400) < 2, "large": np.arange(400) >= 2}
    assert find_artefacts((np.arange(400) < 40).astype(int), tiny, 0.9) == {}
    labels = np.array([0] * 57 + [1] * 3)
    groups = {"a": np.arange(60) >= 30, "b": np.arange(60) < 30}
    assert find_artefacts(labels, groups, 0.95) == {}


@pytest.mark.parametrize("number", [3, 7])
def test_blobs_are_counted(number: int) -> None:
    found = [number_of_clusters(blobs(*[40] * number, seed=s)[0], s) for s in range(4)]
    assert found == [number] * 4


def test_ten_digits_are_counted_in_what_the_judge_sees() -> None:
    features, _ = digits()
    chosen = [np.random.default_rng(s).permutation(len(features))[:1500] for s in range(3)]
    found = [number_of_clusters(features[rows], s, 12) for s, rows in enumerate(chosen)]
    assert found == [10] * 3


def test_one_cloud_is_a_continuum_however_it_is_bent() -> None:
    random, scales = np.random.default_rng(0), np.linspace(2, 0.2, 20)
    straight = [3 + scales * random.normal(size=(400, 20)) for _ in range(2)]
    clouds = straight + [bent(s, a * np.pi) for a in (0.5, 1.0, 1.5) for s in range(2)]
    found = [number_of_clusters(cloud, seed, 5) for seed, cloud in enumerate(clouds)]
    assert found.count(1) >= 7, found


def test_one_half_is_assigned_to_the_clusters_of_the_other() -> None:
    groups, _ = blobs(40, 40, 40)
    cloud = np.random.default_rng(0).normal(size=(120, 10))
    clustering = Clustering("kmeans", {"n_clusters": 3})
    assert strength_over_halves(groups, clustering, 2, 0) == 1
    # The halves of a cloud have other clusters. With its own ones each would have a strength of 1.
    assert strength_over_halves(cloud, clustering, 2, 0) < 0.8

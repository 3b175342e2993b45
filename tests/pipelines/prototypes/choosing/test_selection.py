from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from borderline.pipelines.prototypes.choosing.candidates import (
    Candidates,
    cosine_distances,
    directions,
)
from borderline.pipelines.prototypes.choosing.names import OVER_ALL, SELECTIONS, Selection
from borderline.pipelines.prototypes.choosing.selection import (
    k_medoids,
    most_ambiguous,
    select,
    shown_in,
)
from borderline.records import Clusters
from conftest import candidates_of, prototypes_params


def cosine_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    return float(
        1 - sum(x * y for x, y in zip(a, b, strict=True)) / (a @ a) ** 0.5 / (b @ b) ** 0.5
    )


def euclid_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    return float(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5)


@pytest.fixture
def some() -> Candidates:
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(60, 5)) + 1
    labels = random.integers(-1, 4, size=60)
    return Candidates(embeddings, random.normal(size=(60, 2)), labels, random.uniform(0, 0.1, 60))


def by_hand(selection: str, some: Candidates, cluster: int) -> int:
    """The definitions, with loops."""
    in_embedding = selection.endswith("_embedding")
    points = some.embeddings if in_embedding else some.reduced
    distance = cosine_by_hand if in_embedding else euclid_by_hand
    members = [i for i in range(len(some)) if some.labels[i] == cluster]
    if selection.startswith("medoid"):
        costs = {i: sum(distance(points[i], points[j]) for j in members) for i in members}
    elif selection.startswith("centroid"):
        mean = sum(points[i] for i in members) / len(members)
        costs = {i: distance(points[i], mean) for i in members}
    else:
        k = round(len(members) ** 0.5)
        costs = {
            i: sorted(distance(points[i], points[j]) for j in members if j != i)[k - 1]
            for i in members
        }
    return min(costs, key=lambda i: costs[i])


@pytest.mark.parametrize("selection", [s for s in SELECTIONS if s not in (*OVER_ALL, "random")])
def test_each_way_is_its_definition_written_out(selection: Selection, some: Candidates) -> None:
    rows = select(selection, some, seed=0)
    assert rows.tolist() == [by_hand(selection, some, cluster) for cluster in range(4)]


def test_random_takes_a_member_of_each_cluster_and_repeats(some: Candidates) -> None:
    rows = select("random", some, seed=3)
    assert some.labels[rows].tolist() == [0, 1, 2, 3]
    assert rows.tolist() == select("random", some, seed=3).tolist()
    drawn = {tuple(select("random", some, seed=seed)) for seed in range(20)}
    assert len(drawn) > 15


@pytest.mark.parametrize("count", [1, 2, 3])
def test_k_medoids_are_the_best_of_all_subsets(count: int) -> None:
    for seed in range(10):
        points = directions(np.random.default_rng(seed).normal(size=(12, 3)))
        distances = cosine_distances(points, points)

        def cost(rows: tuple[int, ...], distances: np.ndarray = distances) -> float:
            return float(distances[:, list(rows)].min(1).sum())

        best = min(cost(rows) for rows in itertools.combinations(range(12), count))
        smallest = cost(tuple(k_medoids(distances, count, seed)))
        assert smallest == pytest.approx(best)


def test_ways_over_all_know_no_labels(some: Candidates) -> None:
    shuffled = np.random.default_rng(1).permutation(some.labels)
    other = Candidates(some.embeddings, some.reduced, shuffled, some.distances)
    for selection in OVER_ALL:
        rows = select(selection, some, seed=0)
        assert rows.tolist() == select(selection, other, seed=0).tolist()
        assert len(set(rows.tolist())) == 4


@pytest.mark.parametrize("selection", SELECTIONS)
def test_nothing_and_noise_have_no_prototypes(selection: Selection) -> None:
    for labels in ([], [-1, -1, -1]):
        assert select(selection, candidates_of(np.array(labels, dtype=int)), 0).tolist() == []


@pytest.mark.parametrize("selection", SELECTIONS)
def test_cluster_of_one_image_is_its_own_prototype(selection: Selection) -> None:
    rows = select(selection, candidates_of(np.array([-1, 0, 1, 1, 1])), 0)
    assert len(rows) == 2
    if selection not in OVER_ALL:
        assert rows[0] == 1


def test_outlier_moves_the_mean_but_no_medoid() -> None:
    places = np.array([[0.0], [1.0], [2.0], [50.0]])
    candidates = Candidates(np.ones((4, 2)), places, np.zeros(4, dtype=int), np.zeros(4))
    assert select("medoid", candidates, 0)[0] in (1, 2)
    assert select("centroid", candidates, 0)[0] == 2
    assert select("density", candidates, 0)[0] in (0, 1)


def test_images_that_are_alike_still_give_as_many_medoids() -> None:
    places = np.repeat([[0.0], [1.0]], 5, axis=0)
    for distances in (np.abs(places - places.T), np.zeros((10, 10))):
        rows = k_medoids(distances, 3, 0)
        assert len(set(rows.tolist())) == 3


def test_part_of_the_images_keeps_their_distances(some: Candidates) -> None:
    rows = np.arange(0, 60, 2)
    plain = some.rows(rows)
    assert "cosine_distances" not in vars(plain)
    assert some.cosine_distances.shape == some.reduced_distances.shape == (60, 60)
    part = some.rows(rows)
    for name in ("cosine_distances", "reduced_distances"):
        assert np.allclose(vars(part)[name], getattr(plain, name), rtol=0, atol=1e-15)
    for selection in SELECTIONS:
        assert select(selection, part, 0).tolist() == select(selection, plain, 0).tolist()


def test_most_ambiguous_are_nearest_to_the_boundary() -> None:
    candidates = candidates_of(np.repeat(np.arange(7), 18), spread=0.15)
    rows = most_ambiguous(candidates)
    assert sorted(candidates.distances)[:7] == candidates.distances[rows].tolist()


def test_exemplars_are_shown_in_a_continuum_only() -> None:
    settings = prototypes_params(selections=["medoid", "exemplars"], shown="medoid")
    clusters: Clusters = {
        "labels": torch.zeros(3, dtype=torch.long),
        "probability": torch.ones(3),
        "reduced": torch.zeros(3, 2),
    }
    assert shown_in(clusters, settings) == "medoid"
    assert shown_in({**clusters, "exemplars": torch.tensor([1])}, settings) == "exemplars"

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from borderline.pipelines.clustering.best_of_kind import clusterings_of
from borderline.pipelines.clustering.clusterings import Clustering, Trees
from borderline.pipelines.clustering.params import ClusteringKind, ClusteringParams
from conftest import blobs, clustering_params

_LEAVES = {"min_cluster_size": 8, "min_samples": 3, "cluster_selection_epsilon": 0.0}
CLUSTERINGS = [
    Clustering("gmm", {"n_components": 3}),
    Clustering("kmeans", {"n_clusters": 3}),
    Clustering("hdbscan", _LEAVES),
    *(
        Clustering("gmm", {"n_components": 3, "covariance_type": covariance})
        for covariance in ("tied", "diag", "spherical")
    ),
    Clustering("ward", {"n_clusters": 3}),
    Clustering("dbscan", {"min_samples": 4, "eps": 2.0}),
    Clustering("hdbscan", {**_LEAVES, "cluster_selection_method": "eom"}),
]
EACH = pytest.mark.parametrize("clustering", CLUSTERINGS, ids=str)


def points(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    vectors, labels = blobs(20, 60, 40, seed=seed)
    return vectors[:, :3].astype(np.float64), labels


@EACH
def test_planted_groups_are_found_numbered_by_size_and_repeat(clustering: Clustering) -> None:
    where, truth = points()
    clusters = clustering.fit(where, seed=1)
    assert clusters is not None
    kept = clusters.labels >= 0
    assert kept.mean() > 0.9
    assert adjusted_rand_score(truth[kept], clusters.labels[kept]) == 1
    sizes = np.bincount(clusters.labels[kept])
    assert (np.diff(sizes) <= 0).all()
    assert clusters.labels[30] == 0, "the middle group is the largest"
    again = clustering.fit(where, seed=1)
    assert again is not None
    assert np.array_equal(clusters.labels, again.labels)


@EACH
def test_new_points_join_their_group_with_a_probability(clustering: Clustering) -> None:
    where, _ = points()
    clusters = clustering.fit(where, seed=1)
    assert clusters is not None
    new, truth = points(seed=7)
    labels, probability = clusters.assign(new)
    kept = labels >= 0
    assert kept.mean() > 0.8
    assert labels[kept].tolist() == [{0: 2, 1: 0, 2: 1}[group] for group in truth[kept]]
    assert ((probability >= 0) & (probability <= 1)).all()
    fitted = clusters.probabilities(where)
    assert fitted.shape == (120,)
    assert (fitted[clusters.labels < 0] == 0).all()
    # Halfway between two groups nothing is sure.
    middle = (where[truth == 1].mean(0) + where[truth == 2].mean(0)) / 2
    assert clusters.assign(middle[None])[1][0] < np.median(probability[kept])
    assert [len(part) for part in clusters.assign(new[:0])] == [0, 0]
    stored = pickle.loads(pickle.dumps(clusters))
    assert np.array_equal(stored.assign(new), (labels, probability))


@pytest.mark.parametrize("epsilon", [0.25, 0.5, 1, 5])
def test_merged_clusters_are_assigned_as_they_were_merged(epsilon: float) -> None:
    random = np.random.default_rng(0)
    centres = np.array([[0, 0], [0.8, 0], [0, 0.8], [9, 0], [9.8, 0], [9, 0.8], [0, 9]])
    where = centres.repeat(60, axis=0) + random.normal(0, 0.12, (420, 2))
    settings = {"min_cluster_size": 8, "min_samples": 3, "cluster_selection_epsilon": epsilon}
    clusters = Clustering("hdbscan", settings).fit(where, seed=0)
    assert clusters is not None
    again, strengths = clusters.assign(where)
    assert np.array_equal(again, clusters.labels)
    assert ((strengths > 0) == (clusters.probabilities(where) > 0)).all()
    far, strength = clusters.assign(np.array([[50.0, 50.0]]))
    assert (far.item(), strength.item()) == (-1, 0)


def test_probability_of_k_means_is_that_of_round_components() -> None:
    where = np.array([[-1.0], [-3.0], [1.0], [3.0]])
    clusters = Clustering("kmeans", {"n_clusters": 2}).fit(where, seed=0)
    assert clusters is not None
    # Centres at -2 and 2, variance 1: the odds at 0.5 are exp((2.5^2 - 1.5^2) / 2) = e^2.
    _, probability = clusters.assign(np.array([[0.5]]))
    assert probability[0] == pytest.approx(1 / (1 + np.exp(-2)))


def test_ward_joins_the_nearest_of_its_means() -> None:
    where = np.array([[0.0], [1.0], [5.0], [6.0], [7.0]])
    clusters = Clustering("ward", {"n_clusters": 2}).fit(where, seed=0)
    assert clusters is not None
    assert clusters.labels.tolist() == [1, 1, 0, 0, 0]
    # The means are 6 and .5, so the middle is 3.25; the variance is 2.5 / 5.
    labels, probability = clusters.assign(np.array([[3.2], [3.3], [3.25]]))
    assert labels.tolist()[:2] == [1, 0]
    odds = np.exp(-((2.7**2 - 2.8**2) / (2 * 0.5)))
    assert probability[:2] == pytest.approx([odds / (1 + odds)] * 2)
    assert probability[2] == pytest.approx(0.5)


def test_radius_of_dbscan_is_relative_and_its_core_points_decide_on_new_ones() -> None:
    where = np.array([[0.0], [1], [2], [3], [20], [21], [22], [50]])
    clustering = Clustering("dbscan", {"min_samples": 2, "eps": 1.5})
    clusters = clustering.fit(where, seed=0)
    assert clusters is not None
    assert clusters.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, -1]
    assert clusters.estimator.radius_ == 1.5, "the median distance to the nearest point is 1"
    labels, share = clusters.assign(np.array([[4.4], [4.6], [19.0]]))
    assert (labels.tolist(), share.tolist()) == ([0, -1, 1], [1, 0, 1])
    scaled = clustering.fit(where / 7, seed=0)
    assert scaled is not None
    assert np.array_equal(scaled.labels, clusters.labels)
    twins = clustering.fit(np.zeros((9, 2)), seed=0)
    assert twins is None, "no distance, no radius"


def test_kinds_to_try_are_named_only_where_they_are_set() -> None:
    params = clustering_params(
        gmm={"n_components": [2, 3], "covariance": ["full", "tied"]},
        hdbscan=clustering_params().hdbscan.plain() | {"selection": ["eom"]},
        dbscan={"eps": [1, 2], "min_samples": [4, 5]},
        ward={"n_clusters": [2, 4]},
    )

    def tried(kind: ClusteringKind, name: str, of: ClusteringParams = params) -> set[object]:
        return {each.settings.get(name) for each in itertools.chain(*clusterings_of(kind, of))}

    assert tried("gmm", "covariance_type") == {"full", "tied"}
    assert tried("hdbscan", "cluster_selection_method") == {"eom"}
    assert (tried("dbscan", "eps"), tried("dbscan", "min_samples")) == ({1, 2}, {4, 5})
    assert tried("ward", "n_clusters") == {2, 3, 4}
    default = clustering_params()
    assert tried("gmm", "covariance_type", default) == {None}
    assert tried("hdbscan", "cluster_selection_method", default) == {None}


def test_another_number_keeps_the_covariance_and_those_that_find_it_stay() -> None:
    tied = Clustering("gmm", {"n_components": 3, "covariance_type": "tied"})
    assert tied.of_number(5).settings == {"n_components": 5, "covariance_type": "tied"}
    assert Clustering("ward", {"n_clusters": 3}).of_number(2).settings == {"n_clusters": 2}
    for clustering in (Clustering("hdbscan", _LEAVES), Clustering("dbscan", {"eps": 1.0})):
        assert clustering.of_number(2) == clustering


def test_more_clusters_than_points_are_none() -> None:
    where, _ = points()
    for clustering in (*CLUSTERINGS[:2], Clustering("ward", {"n_clusters": 3})):
        assert clustering.fit(where[:2], seed=0) is None


@pytest.mark.parametrize("kind", ["hdbscan", "ward"])
def test_shared_tree_gives_the_same_clusters(kind: ClusteringKind) -> None:
    where, _ = points()
    trees = Trees()
    for clustering in itertools.chain(*clusterings_of(kind, clustering_params())):
        plain = clustering.fit(where, seed=0)
        shared = clustering.fit(where, seed=0, memory=trees)
        assert plain is not None
        assert shared is not None
        assert np.array_equal(plain.labels, shared.labels)


def test_sweep_begins_spread_and_goes_on_near_the_best() -> None:
    params = clustering_params(gmm={"n_components": [3, 15]})
    first, others = clusterings_of("gmm", params)
    numbers = [[int(c.settings["n_components"]) for c in part] for part in (first, others)]
    assert numbers[0] == [3, 7, 11, 15]
    assert sorted(numbers[0] + numbers[1]) == list(range(3, 16))
    near = [int(c.settings["n_components"]) for c in others if c.is_near(first[1])]
    assert near == [4, 5, 6, 8, 9, 10]
    first, others = clusterings_of("hdbscan", params)
    assert len(first) + len(others) == 4 * 2
    assert all(other.is_near(first[0]) for other in others)

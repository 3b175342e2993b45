from __future__ import annotations

import math

import numpy as np
import pytest
from hdbscan.validity import validity_index
from pydantic import ValidationError
from sklearn.metrics import (
    davies_bouldin_score,
    pairwise_distances,
    silhouette_samples,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import normalize

from borderline.pipelines.clustering.clusterings import Clustering, FittedClustering
from borderline.pipelines.clustering.scores import (
    SCORES,
    Scorer,
    _density_validity,
    _silhouettes,
    degenerate,
)
from conftest import blobs, clustering_params

POINTS, TRUTH = blobs(60, 40, 20)
REDUCED = POINTS[:, :3].astype(np.float64)


def labelled(labels: np.ndarray) -> FittedClustering:
    return FittedClustering("kmeans", None, np.unique(labels[labels >= 0]), labels)


def scores_of(labels: np.ndarray, **changed: object) -> dict[str, float | int | str]:
    scorer = Scorer(POINTS, clustering_params(**changed), seed=0)
    return scorer.in_space(REDUCED).all(labelled(labels))


def test_scores_are_those_of_the_libraries_on_all_images() -> None:
    noisy = np.where(np.arange(120) % 10 == 0, -1, TRUTH)
    scores = scores_of(noisy)
    assert tuple(scores) == SCORES
    kept = noisy >= 0
    assert scores["silhouette"] == pytest.approx(silhouette_score(REDUCED, noisy))
    assert scores["davies_bouldin"] == pytest.approx(davies_bouldin_score(REDUCED, noisy))
    original = silhouette_score(POINTS[kept], noisy[kept], metric="cosine")
    assert scores["silhouette_original"] == pytest.approx(original, abs=1e-5)
    assert scores["objective"] == scores["silhouette"]
    assert (scores["noise"], scores["clusters"], scores["sizes"]) == (0.1, 3, "54 36 18")
    assert (scores["scored"], scores["silhouette_error"]) == (120, 0)


def test_good_clusters_have_a_higher_density_based_validity_than_random_ones() -> None:
    random = np.random.default_rng(0).integers(0, 3, 120)
    assert scores_of(TRUTH)["dbcv"] > 0.5 > 0 > scores_of(random)["dbcv"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silhouettes_and_validity_are_those_of_the_libraries(dtype: type) -> None:
    random = np.random.default_rng(0)
    where = random.normal(size=(150, 4)).astype(dtype)
    where[:3] = where[3:6]  # images at one place
    for count in (2, 5, 40):
        labels = random.integers(-1, count, 150)
        labels[0] = count  # one image alone
        distances = pairwise_distances(where)
        samples = silhouette_samples(distances, labels, metric="precomputed")
        assert np.abs(_silhouettes(distances, labels) - samples).max() < 1e-12
        sizes = np.bincount(labels[labels >= 0])
        labels[np.isin(labels, np.flatnonzero(sizes < 2))] = -1
        validity = validity_index(where.astype(np.float64), labels)
        assert _density_validity(where.astype(np.float64), labels) == validity


def test_criterion_of_a_mixture_is_maximised_as_its_negative() -> None:
    params = clustering_params(objective="bic", reductions=["none"], clusterings=["gmm"])
    clusters = Clustering("gmm", {"n_components": 3}).fit(REDUCED, seed=0)
    assert clusters is not None
    space = Scorer(POINTS, params, seed=0).in_space(REDUCED)
    expected = GaussianMixture(3, random_state=0).fit(REDUCED).bic(REDUCED)
    assert space.all(clusters)["bic"] == pytest.approx(expected, rel=1e-3)
    assert space.objective(clusters) == pytest.approx(-expected, rel=1e-3)


def test_weights_add_scores_up() -> None:
    scores = scores_of(TRUTH, objective={"silhouette": 0.5, "dbcv": 2})
    expected = 0.5 * scores["silhouette"] + 2 * scores["dbcv"]
    assert scores["objective"] == pytest.approx(expected)


def test_index_of_davies_and_bouldin_is_maximised_as_its_negative_in_both_spaces() -> None:
    noisy = np.where(np.arange(120) % 10 == 0, -1, TRUTH)
    kept = noisy >= 0
    reduced = davies_bouldin_score(REDUCED, noisy)
    original = davies_bouldin_score(normalize(POINTS[kept].astype(np.float64)), noisy[kept])
    assert scores_of(noisy, objective="davies_bouldin")["objective"] == pytest.approx(-reduced)
    scores = scores_of(noisy, objective="davies_bouldin_original")
    assert scores["objective"] == pytest.approx(-original)
    assert scores["davies_bouldin_original"] == pytest.approx(original)
    weights = {"silhouette": 1, "davies_bouldin": 0.5, "davies_bouldin_original": 2}
    scores = scores_of(noisy, objective=weights)
    expected = scores["silhouette"] - 0.5 * reduced - 2 * original
    assert scores["objective"] == pytest.approx(expected)


def test_index_of_davies_and_bouldin_of_points_at_one_place_is_undefined() -> None:
    params = clustering_params(objective="davies_bouldin", fewest_in_cluster=3)
    space = Scorer(np.zeros((60, 4)), params, seed=0).in_space(np.zeros((60, 2)))
    assert math.isnan(space.objective(labelled(np.arange(60) % 3)))


def test_covariances_are_found_again_apart() -> None:
    params = clustering_params(objective="reproducibility", clusterings=["gmm"])
    space = Scorer(POINTS, params, seed=0).in_space(REDUCED)
    for covariance in ("full", "spherical"):
        settings = {"n_components": 3, "covariance_type": covariance}
        clusters = Clustering("gmm", settings).fit(REDUCED, seed=0)
        assert clusters is not None
        assert space.objective(clusters) > 3
    assert len(space._measured) == 2


def test_silhouette_of_a_part_is_near_that_of_all_and_says_how_near() -> None:
    points, truth = blobs(1500, 1000, 500)
    noisy = points[:, :3] + np.random.default_rng(1).normal(0, 1.5, (3000, 3))
    exact = silhouette_score(noisy, truth)
    misses = []
    for seed in range(20):
        scorer = Scorer(points, clustering_params(score_size=200), seed)
        scores = scorer.in_space(noisy).all(labelled(truth))
        assert scores["scored"] == 200
        misses.append(abs(float(scores["silhouette"]) - exact) / float(scores["silhouette_error"]))
    assert np.mean(np.array(misses) < 1) >= 0.8
    assert np.max(misses) > 0.1, "an interval that wide would say nothing"


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (np.zeros(100), "fewer than two clusters"),
        (np.full(100, -1), "fewer than two clusters"),
        (np.repeat([0, 1], [98, 2]), "a cluster of 2 images"),
        (np.repeat([0, 1, -1], [20, 20, 60]), "60% noise"),
        (np.repeat([0, 1], [97, 3]), "97% in one cluster"),
        (np.repeat([0, 1, -1], [30, 30, 40]), ""),
    ],
)
def test_degenerate_solutions_have_a_reason_and_no_objective(labels: np.ndarray, why: str) -> None:
    labels = labels.astype(np.int64)
    assert degenerate(labels, clustering_params()) == why
    points = np.random.default_rng(0).normal(size=(100, 2))
    space = Scorer(points, clustering_params(), seed=0).in_space(points)
    assert math.isnan(space.objective(labelled(labels))) == bool(why)
    assert math.isnan(float(space.all(labelled(labels))["objective"])) == bool(why)


def test_high_dimensions_are_no_crash() -> None:
    points = np.random.default_rng(0).normal(size=(60, 700))
    space = Scorer(points, clustering_params(), seed=0).in_space(points)
    scores = space.all(labelled(np.arange(60) % 3))
    assert math.isnan(float(scores["dbcv"])) or -1 <= float(scores["dbcv"]) <= 1
    assert not math.isnan(float(scores["silhouette"]))


def test_more_clusters_than_the_images_can_carry_are_degenerate() -> None:
    labels, params = np.repeat(np.arange(4), 10), clustering_params()
    assert degenerate(labels, params) == degenerate(labels, params.limited_to(4)) == ""
    assert "more clusters than these images can carry (3)" in degenerate(
        labels, params.limited_to(3)
    )


@pytest.mark.parametrize("weight", [0, -1, float("inf"), "much"])
def test_weight_that_is_no_number_above_0_is_named(weight: object) -> None:
    with pytest.raises(ValidationError, match=rf"dbcv is {weight!r}, and not a number above 0"):
        clustering_params(objective={"silhouette": 1, "dbcv": weight})

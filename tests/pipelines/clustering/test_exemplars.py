from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from borderline.measures.facility_location import facility_location, joint
from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.exemplars import ExemplarModel
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import Reduction
from borderline.records import Side
from conftest import blobs, clustering_params

POINTS, LABELS = blobs(60, 40, 20)
UNIT = POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)


def test_greedy_choice_is_nested_and_within_the_bound_of_the_best() -> None:
    similarities = UNIT[::6] @ UNIT.T
    rows, values = facility_location(similarities, 3)
    fewer, _ = facility_location(similarities, 2)
    assert rows[:2].tolist() == fewer.tolist()
    assert (np.diff(values) > 0).all()
    every = [
        np.maximum(similarities[i], np.maximum(similarities[j], similarities[k])).mean()
        for i in range(20)
        for j in range(i)
        for k in range(j)
    ]
    assert max(every) >= values[2] >= (1 - 1 / np.e) * max(every)


def test_it_ends_when_an_exemplar_adds_too_little() -> None:
    rows, values = facility_location(UNIT @ UNIT.T, 15, least_gain=0.04)
    assert sorted(LABELS[rows[:3]]) == [0, 1, 2], "one of each group comes first"
    assert len(rows) == 3
    _, more = facility_location(UNIT @ UNIT.T, 4)
    assert more[3] - more[2] < 0.04 * (1 - values[0])


def test_products_of_joint_vectors_are_mean_cosines() -> None:
    first, second = joint(POINTS[:2], POINTS[60:62])
    features = UNIT[60] @ UNIT[61]
    assert first @ second == pytest.approx((UNIT[0] @ UNIT[1] + features) / 2, rel=1e-5)
    assert first @ first == pytest.approx(1)


def test_model_assigns_new_images_to_the_nearest_exemplar_and_chooses_again() -> None:
    recipe = Recipe(Reduction("none", {}), Clustering("kmeans", {"n_clusters": 2}))
    params = clustering_params(objective="reproducibility", clusterings=["kmeans"])
    model = ExemplarModel.of(recipe, params, POINTS, UNIT, UNIT)
    new, labels = blobs(30, 30, 30, seed=1)
    assigned, similarity, points = model.assign(new)
    assert points.shape == (90, 3)
    assert ((similarity >= 0) & (similarity <= 1)).all()
    assert (LABELS[model.exemplars][assigned] == labels).all()
    assert (model.typicality(new) > 0.05).mean() > 0.8
    run = RunParams(seed=0, device="cpu")
    again = model.again(Side(new, new, {}, {}), run, attempt=1)
    assert again.points.shape == (90, 3)
    assert all(len(set(again.labels[labels == group])) == 1 for group in range(3))
    assert again.exemplars is not None
    assert sorted(labels[again.exemplars]) == [0, 1, 2]
    assert model.choose_number(Side(new, new, {}, {}), run) == ("clusters", 3)
    cloud = np.random.default_rng(0).normal(0, 0.3, (90, 10)) + np.eye(10)[0]
    mode, number = model.choose_number(Side(cloud, cloud, {}, {}), run)
    assert mode == "continuum"
    assert number > 1
    assert [len(column) for column in model.assign(new[:0])] == [0, 0, 0]


def test_where_only_the_test_found_a_continuum_others_are_tested_too() -> None:
    recipe = Recipe(Reduction("none", {}), Clustering("kmeans", {"n_clusters": 2}))
    params = clustering_params(
        objective="reproducibility",
        clusterings=["kmeans"],
        reproducibility={"splits": 2, "least": 0.8, "valley": 0.65, "artefact": 0.95},
        structure={"clouds": 3, "images": 200, "level": 0.25},
    )
    model = ExemplarModel.of(recipe, params, POINTS, UNIT, UNIT)
    side, run = Side(POINTS, POINTS, {}, {}), RunParams(seed=0, device="cpu")
    tested = replace(model, tested=True)
    assert tested.choose_number(side, run) == ("clusters", 3)
    strict = params.structure.model_copy(update={"level": 0.24})
    tested = replace(tested, params=params.model_copy(update={"structure": strict}))
    assert tested.choose_number(side, run).mode == "continuum"
    assert replace(tested, tested=False).choose_number(side, run) == ("clusters", 3)


def test_no_more_exemplars_than_the_images_can_carry() -> None:
    recipe = Recipe(Reduction("none", {}), Clustering("kmeans", {"n_clusters": 2}))
    params = clustering_params(objective="reproducibility", clusterings=["kmeans"])
    for most, count in ((2, 2), (50, 3)):
        model = ExemplarModel.of(recipe, params.limited_to(most), POINTS, UNIT, UNIT)
        assert len(model.exemplars) == count


@pytest.mark.parametrize("noise", [0, 1e-9])
def test_equal_images_have_one_exemplar(noise: float) -> None:
    images = np.ones((60, 4)) + noise * np.random.default_rng(0).normal(size=(60, 4))
    vectors = joint(images, images)
    assert len(facility_location(vectors @ vectors.T, 15, least_gain=0.04)[0]) == 1
    assert len(facility_location(vectors @ vectors.T, 15)[0]) == 15, "as many as asked for"


def test_blocks_of_candidates_give_the_greedy_choice() -> None:
    similarities = np.random.default_rng(0).uniform(size=(150, 40))
    rows, values = facility_location(similarities, 4)
    for count, row in enumerate(rows):
        best = similarities[rows[:count]].max(0, initial=-np.inf)
        gains = [np.maximum(candidate, best).mean() for candidate in similarities]
        assert row == int(np.argmax(gains))
        assert values[count] == gains[row]

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import precision_score

from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.measures import (
    Audience,
    Chosen,
    coverage_curve,
    measure,
    nearest_prototype,
)
from conftest import candidates_of


@pytest.fixture
def audience() -> Audience:
    random = np.random.default_rng(0)
    labels = random.integers(-1, 3, size=25)
    candidates = Candidates(
        random.normal(size=(25, 4)) + 0.7, random.normal(size=(25, 2)), labels, np.zeros(25)
    )
    return Audience.of(candidates, random.normal(size=(25, 2)))


ROWS = np.array([3, 8, 17])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a @ b) / ((a @ a) * (b @ b)) ** 0.5)


def test_every_measure_is_its_definition_written_out(audience: Audience) -> None:
    x, labels, places = audience.candidates.embeddings, audience.candidates.labels, audience.places
    values = measure(audience.chosen(ROWS), audience)
    pairs = list(itertools.combinations(ROWS, 2))
    others = [i for i in range(25) if i not in ROWS]
    all_pairs = list(itertools.combinations(range(25), 2))
    radius = np.median([1 - cosine(x[i], x[j]) for i, j in all_pairs])
    gaps = {i: min(1 - cosine(x[i], x[j]) for j in ROWS) for i in others}
    nearest = {i: max(ROWS, key=lambda j, i=i: cosine(x[i], x[j])) for i in others}
    kept = [i for i in others if labels[i] >= 0]

    def apart(values: np.ndarray, rows: list[tuple[int, int]]) -> float:
        return float(np.mean([((values[i] - values[j]) ** 2).sum() ** 0.5 for i, j in rows]))

    assert values == pytest.approx(
        {
            "cosine_similarity": np.mean([cosine(x[i], x[j]) for i, j in pairs]),
            "euclidean_distance": apart(x, pairs),
            "coverage_area": np.mean([max(0.0, 1 - gap / radius) for gap in gaps.values()]),
            "facility_location": np.mean([1 - gap for gap in gaps.values()]),
            "dispersion": apart(places, pairs) / apart(places, all_pairs),
            "precision": precision_score(
                labels[kept],
                [labels[nearest[i]] for i in kept],
                labels=[0, 1, 2],
                average="macro",
                zero_division=0,
            ),
        }
    )


def test_area_is_that_under_the_curve(audience: Audience) -> None:
    chosen = audience.chosen(ROWS)
    radii = np.linspace(0, audience.radius, 20_001)
    curve = coverage_curve(chosen, audience, radii)
    area = np.trapezoid(curve, radii) / audience.radius
    assert measure(chosen, audience)["coverage_area"] == pytest.approx(area, abs=1e-3)
    assert curve[0] == 0
    assert (np.diff(curve) >= 0).all()


def test_prototype_never_stands_for_itself(audience: Audience) -> None:
    some = audience.rows(np.array([3, 8, 9, 10]))
    _, distance, others = nearest_prototype(some.chosen(np.array([0])), some)
    assert others.tolist() == [False, True, True, True]
    assert (distance[others] > 0).all()
    outside = audience.chosen(ROWS)._replace(rows=None)
    assert len(nearest_prototype(outside, audience)[0]) == 25


def test_one_prototype_is_at_no_distance_from_others(audience: Audience) -> None:
    values = measure(audience.chosen(ROWS[:1]), audience)
    assert np.isnan(
        [values[m] for m in ("cosine_similarity", "euclidean_distance", "dispersion")]
    ).all()
    assert values["coverage_area"] > 0


def test_no_prototypes_have_no_measures(audience: Audience) -> None:
    values = measure(audience.chosen(ROWS[:0]), audience)
    assert np.isnan(list(values.values())).all()
    assert np.isnan(coverage_curve(audience.chosen(ROWS[:0]), audience, np.ones(3))).all()


def test_perfect_prototypes_cover_all_and_tell_all_apart() -> None:
    candidates = candidates_of(np.repeat([0, 1, 2], 5), spread=0.0)
    audience = Audience.of(candidates, candidates.reduced)
    values = measure(audience.chosen(np.array([0, 5, 10])), audience)
    assert values["coverage_area"] == pytest.approx(1)
    assert values["facility_location"] == pytest.approx(1)
    assert values["precision"] == 1
    one_missed = measure(audience.chosen(np.array([0, 5])), audience)
    # One of three clusters is never predicted; another one is predicted for its images, too.
    assert one_missed["precision"] == pytest.approx((1 + 4 / 9 + 0) / 3)


def test_images_from_elsewhere_may_have_no_cluster(audience: Audience) -> None:
    chosen = Chosen(np.ones((1, 4)), np.array([-1]), np.zeros((1, 2)), None)
    assert measure(chosen, audience)["precision"] == 0


def test_batch_has_the_measures_of_its_choices(audience: Audience) -> None:
    random, images = np.random.default_rng(1), audience.candidates
    rows = np.array([random.choice(25, 3, replace=False) for _ in range(6)])
    labels = np.array([random.permutation(images.labels) for _ in rows])
    batch = measure(audience.chosen(rows, labels), audience, labels)
    outside = measure(audience.chosen(rows)._replace(rows=None), audience)
    for draw, (row, shuffled) in enumerate(zip(rows, labels, strict=True)):
        other = replace(audience, candidates=replace(images, labels=shuffled))
        single = measure(other.chosen(row), other)
        assert {name: values[draw] for name, values in batch.items()} == pytest.approx(single)
        single = measure(audience.chosen(row)._replace(rows=None), audience)
        assert {name: values[draw] for name, values in outside.items()} == pytest.approx(single)

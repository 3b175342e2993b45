"""Many labellings at once give the rows that each of them gives alone."""

from __future__ import annotations

import numpy as np
import pytest

from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.of_clusters import (
    densest,
    nearest_rows,
    select_of_clusters,
)

RULES = ("medoid", "centroid", "density")


def images(count: int) -> Candidates:
    random = np.random.default_rng(0)
    labels = random.choice([-1, 0, 1, 2], size=count, p=[0.1, 0.6, 0.25, 0.05])
    points = random.normal(size=(count, 6)) + 1
    return Candidates(points, random.normal(size=(count, 2)), labels, np.zeros(count))


@pytest.mark.parametrize("selection", [*RULES, *(f"{rule}_embedding" for rule in RULES), "random"])
def test_many_labellings_give_the_rows_of_each(selection: str) -> None:
    some, random = images(200), np.random.default_rng(1)
    labels = np.array([random.permutation(some.labels) for _ in range(100)])
    rows = select_of_clusters(selection, some, labels, 5)
    assert rows.shape == (100, 3)
    assert (np.take_along_axis(labels, rows, 1) == [0, 1, 2]).all()
    for draw in (0, 1, 99):
        alone = select_of_clusters(selection, some, labels[draw : draw + 1], 5)
        assert rows[draw].tolist() == alone[0].tolist()


def test_lists_of_neighbours_do_not_change_the_densest_image() -> None:
    """They hold for clusters spread at random, compact ones and ones far from the others."""
    some = images(300)
    distances = some.reduced_distances
    random, order = np.random.default_rng(2), distances[0].argsort()
    for rows in (random.choice(300, 80, replace=False), order[:80], order[-80:], order[:3]):
        cluster, lists = np.sort(rows), nearest_rows(distances, 90)
        assert densest(distances, cluster, lists) == densest(distances, cluster, lists[:, :0])
    assert nearest_rows(distances, 5).tolist() == distances.argsort(1)[:, :5].tolist()


def test_rounding_does_not_choose_between_equal_medoids() -> None:
    random = np.random.default_rng(3)
    points, labels = random.normal(size=(40, 7)), np.repeat(np.arange(20), 2)
    pairs = Candidates(points, points, labels, np.zeros(40))
    for selection in ("medoid", "medoid_embedding"):
        rows = select_of_clusters(selection, pairs, labels[None], 0)
        assert rows[0].tolist() == list(range(0, 40, 2))

from __future__ import annotations

import numpy as np
import pytest

from borderline.pipelines.prototypes.choosing.candidates import cosine_distances, directions
from borderline.pipelines.prototypes.choosing.mmd_critic import (
    choose_criticisms,
    choose_prototypes,
    kernel_of,
    witness,
)


@pytest.fixture
def distances() -> np.ndarray:
    points = directions(np.random.default_rng(0).normal(size=(14, 4)))
    return cosine_distances(points, points)


def fit(kernel: np.ndarray, rows: list[int]) -> float:
    """J_b of Kim et al. 2016, equation 6, with loops."""
    n, m = len(kernel), len(rows)
    cross = sum(kernel[i, j] for i in range(n) for j in rows)
    within = sum(kernel[i, j] for i in rows for j in rows)
    return float(2 / (n * m) * cross - within / m**2)


def test_prototypes_are_the_greedy_choice_of_the_written_out_objective(
    distances: np.ndarray,
) -> None:
    kernel = kernel_of(distances)
    chosen: list[int] = []
    for _ in range(5):
        others = [i for i in range(14) if i not in chosen]
        chosen.append(max(others, key=lambda i: fit(kernel, [*chosen, i])))
    assert choose_prototypes(distances, 5).tolist() == chosen


def test_criticisms_are_the_greedy_choice_of_the_written_out_objective(
    distances: np.ndarray,
) -> None:
    prototypes = choose_prototypes(distances, 3)
    kernel, wrong = kernel_of(distances), np.abs(witness(distances, prototypes))

    def worth(rows: list[int]) -> float:
        return float(wrong[rows].sum() + np.linalg.slogdet(kernel[np.ix_(rows, rows)])[1])

    chosen: list[int] = []
    for _ in range(4):
        others = [i for i in range(14) if i not in [*chosen, *prototypes]]
        chosen.append(max(others, key=lambda i: worth([*chosen, i])))
    assert choose_criticisms(distances, prototypes, 4).tolist() == chosen
    assert len(choose_criticisms(distances, prototypes, 99)) == 11


def test_witness_is_the_difference_of_mean_kernels(distances: np.ndarray) -> None:
    kernel, rows = kernel_of(distances), np.array([2, 5])
    by_hand = [
        sum(kernel[i, j] for j in range(14)) / 14 - (kernel[i, 2] + kernel[i, 5]) / 2
        for i in range(14)
    ]
    assert witness(distances, rows) == pytest.approx(by_hand)
    assert witness(distances, np.arange(14)) == pytest.approx(np.zeros(14))


def test_kernel_is_gaussian_in_the_directions() -> None:
    points = directions(np.random.default_rng(1).normal(size=(9, 3)))
    distances = cosine_distances(points, points)
    width = np.median(distances[np.triu_indices(9, 1)])
    squares = ((points[:, None] - points) ** 2).sum(-1)
    assert kernel_of(distances) == pytest.approx(np.exp(-squares / (2 * width)))
    assert (kernel_of(np.zeros((3, 3))) == 1).all()


def test_images_that_are_all_alike_can_be_chosen_from() -> None:
    assert choose_prototypes(np.zeros((4, 4)), 2).tolist() == [0, 1]
    assert len(choose_criticisms(np.zeros((4, 4)), np.array([0]), 2)) == 2

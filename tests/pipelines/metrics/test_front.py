from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from borderline.measures.realism import Moments, RealStatistics, frechet_distance
from borderline.pipelines.metrics.charts import draw_front
from borderline.pipelines.metrics.front import front_of, knee, pareto_front
from conftest import metrics_params


def points_on_front(points: list[tuple[float, float]]) -> list[bool]:
    return pareto_front(*np.array(points, dtype=float).T).tolist()


def knee_of(points: list[tuple[float, float]]) -> int | None:
    return knee(*np.array(points, dtype=float).reshape(-1, 2).T)


def test_front_holds_the_unbeaten() -> None:
    points = [(1.0, 0.5), (2, 0.2), (3, 0.1), (2.5, 0.3), (3, 0.2), (math.nan, 0), (0, math.nan)]
    assert points_on_front(points) == [True, True, True, False, False, False, False]


def test_equal_points_share_the_front() -> None:
    assert points_on_front([(1, 0.5), (1, 0.5), (1, 0.6)]) == [True, True, False]


def test_front_agrees_with_brute_force() -> None:
    points = np.random.default_rng(0).integers(0, 12, (60, 2)).astype(float)

    def beats(a: np.ndarray, b: np.ndarray) -> bool:
        return bool((a <= b).all() and (a < b).any())

    expected = [not any(beats(other, p) for other in points) for p in points]
    assert pareto_front(*points.T).tolist() == expected
    assert 0 < sum(expected) < 60


@pytest.mark.parametrize(
    ("points", "at"),
    [
        ([(0, 1), (1, 0), (0.2, 0.2)], 2),
        # Beaten points and their scale have no say.
        ([(10, 0.4), (200, 0.001), (60, 0.05), (5000, 0.3)], 2),
        # Two ends, and a front that bulges the other way: the lower ACD.
        ([(10, 0.4), (200, 0.001)], 1),
        ([(0, 1), (1, 0), (0.9, 0.9)], 1),
        ([(0, 1), (1, 0), (0.6, 0.6)], 1),
        ([(5, 0.3)], 0),
        ([(math.nan, 0.3), (3, math.nan)], None),
        ([], None),
    ],
)
def test_knee(points: list[tuple[float, float]], at: int | None) -> None:
    assert knee_of(points) == at


def test_baseline_is_drawn_but_is_neither_on_the_front_nor_its_knee() -> None:
    generators = pd.DataFrame({"source": ["x", "baseline"], "acd": [0.2, 0.1]})
    metrics = metrics_params(sample_size=50, fewest_images=10, neighbours=3)
    samples = {"x": torch.randn(50, 2) + 1, "baseline": torch.randn(50, 2)}
    epochs = pd.DataFrame(columns=["source", "epoch", "images", "fd_lenet", "acd"])
    real = torch.randn(50, 2)
    points = front_of(epochs, generators, samples, real, metrics, ["x"])
    assert points["fd_lenet"].notna().all()
    assert points["on_front"].tolist() == points["knee"].tolist() == [True, False]
    assert front_of(epochs, generators, samples, real, metrics)["knee"].tolist() == [False, True]


def test_front_is_of_the_distance_in_the_settings() -> None:
    generators = pd.DataFrame({"source": ["x"], "acd": [0.2]})
    metrics = metrics_params(sample_size=50, fewest_images=10, neighbours=3)
    metrics = metrics.model_copy(update={"front": "fid"})
    epochs = pd.DataFrame(
        {"source": "x", "epoch": [1, 2], "images": 50, "fd_lenet": [1.0, 9], "fid": [9.0, 1]}
    ).assign(acd=0.3)
    real, sample = torch.randn(50, 2), torch.randn(50, 2) + 1
    points = front_of(epochs, generators, {"x": sample}, RealStatistics.of(real), metrics)
    assert points["fid"].tolist() == [9.0, 1.0, pytest.approx(distance(sample, real))]
    assert "fd_lenet" not in points
    assert points["on_front"].tolist() == [False, True, True]
    chart = draw_front(points, "x")
    assert chart.layout.xaxis.title.text.startswith("FID of all images")


def distance(sample: torch.Tensor, real: torch.Tensor) -> float:
    return frechet_distance(Moments.of(sample), Moments.of(real))

from __future__ import annotations

import numpy as np
import pytest

from borderline.measures.directions import in_range, tells_apart

POINTS = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


@pytest.mark.parametrize("scale", [1, 1e-3, 1e10, 0])
def test_usual_embeddings_stay_as_they_are(scale: float) -> None:
    points = POINTS * np.float32(scale)
    assert in_range(points) is points


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_embeddings_keep_their_directions(scale: float) -> None:
    scaled = in_range(POINTS * np.float32(scale))
    assert scaled.dtype == np.float32
    assert scaled == pytest.approx(POINTS / np.abs(POINTS).max(), rel=1e-5)


@pytest.mark.parametrize(
    ("points", "apart"),
    [
        (POINTS, True),
        (POINTS * np.float32(1e-30), True),
        (np.repeat(POINTS[:2], 5, axis=0), True),
        (np.repeat(POINTS[:1], 5, axis=0), False),
        (POINTS[:1] * np.arange(1, 6, dtype=np.float32)[:, None], False),
        (np.zeros((5, 3)), False),
        (np.vstack([np.zeros((1, 3)), np.ones((1, 3))]), True),
        (np.zeros((0, 3)), False),
    ],
)
def test_directions_are_told_apart(points: np.ndarray, apart: bool) -> None:
    assert tells_apart(points) is apart
